#pragma once

#include <string>

namespace gavel::bench {

// A client that asks for much and reads no answer.  It connects to the node at `server`, asks
// `calls` times for the list of all auctions, and keeps the connection until the node closes it.
// It prints "asked" when all calls were handed to the connection, and at the end how the connection
// ended.
void askWithoutReading(const std::string& server, unsigned calls);

}  // namespace gavel::bench
