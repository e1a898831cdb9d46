#pragma once

#include <string>
#include <vector>

#include "bench/load.h"
#include "client/client.h"

// Who asks for results, and of whom.
namespace gavel::bench {

// Names of the auctions that are asked for, one after the other.
using Auctions = std::vector<std::string>;

// The bare RPC library: calls on one connection to `address`, with nothing around them.
MakeCaller overRpc(std::string address, Auctions auctions);

// The client library, as any program would use it.  `seeds`: "host:port" of nodes and masters.
MakeCaller overLibrary(std::vector<std::string> seeds, client::ReadFrom readFrom,
                       Auctions auctions);

// Serves the bare echo until the process is ended: answers every `result` at once, with an answer
// such as a node gives for `auctions`, of the same size.  Prints "ready on HOST:PORT" first.
void serveEcho();

// What the auctions of this benchmark have in common, so that answers are equally long.
constexpr const char OWNER[] = "seller";
constexpr const char BIDDER[] = "bidder";

}  // namespace gavel::bench
