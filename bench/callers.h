#pragma once

#include <string>
#include <vector>

#include "bench/load.h"
#include "client/client.h"

// The callers of queries.
namespace gavel::bench {

// The names of the auctions to query, one after the other.
using Auctions = std::vector<std::string>;

// Uses the bare RPC library: calls on one connection to `address`, with nothing around them.
MakeCaller overRpc(std::string address, Auctions auctions);

// Uses the client library as any program does.  `seeds`: "host:port" of nodes and masters.
MakeCaller overLibrary(std::vector<std::string> seeds, client::ReadFrom readFrom,
                       Auctions auctions);

// Serves the bare echo until the process ends.  It answers every `result` at once, with an answer
// of the size that a node gives for `auctions`.  Prints "ready on HOST:PORT" first.
void serveEcho();

// The same for all auctions of this benchmark, so that answers have the same size.
constexpr const char OWNER[] = "seller";
constexpr const char BIDDER[] = "bidder";

}  // namespace gavel::bench
