#pragma once

#include <string>

namespace gavel::bench {

// A client that asks for much and reads no answer: connects to the node at `server`, asks `calls`
// times for the list of all auctions, and keeps the connection until the node closes it.  Prints
// "asked" when all has been handed to the connection, and what has become of it at the end.
void askWithoutReading(const std::string& server, unsigned calls);

}  // namespace gavel::bench
