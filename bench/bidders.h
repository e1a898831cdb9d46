#pragma once

#include <string>
#include <vector>

#include "bench/load.h"

// The bidders of each system, for the comparison of whole systems.
//
// Bids mean the same everywhere.  A bid succeeds only if it is higher than all bids before it on
// its auction.  It is answered only when it is durable on every member (etcd: on a majority).  Each
// client makes auctions of its own and bids on them in turn, always higher, so every bid succeeds.
// One that does not ends the measurement.
namespace gavel::bench {

// Bids on Gavel with the client library.  `seeds`: "host:port" of nodes and masters.  A call makes
// `batch` bids: a single bid if that is one, else a list.
MakeCaller overGavel(std::vector<std::string> seeds, unsigned auctions, unsigned batch);

// Redis, on `connections` connections to the master.  A bid is a script, which the replicas and the
// master write and sync (appendfsync always); WAIT says that `replicas` of them have.  As WAIT
// holds up what follows it on its connection, all bids that gather meanwhile on one go out
// together, with one WAIT.  Each connection has auctions of its own.
MakeCaller overRedis(std::string address, unsigned connections, unsigned replicas);

// Appends 4 KiB to a file in `directory` and syncs the data; one call at a time.
MakeCaller onDisk(std::string directory);

}  // namespace gavel::bench
