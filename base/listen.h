#pragma once

#include <kj/async-io.h>
#include <kj/string.h>

namespace gavel {

// A bound socket.
struct Listener {
  kj::Own<kj::ConnectionReceiver> receiver;
  kj::String address;  // "host:port" with the port really bound.
};

// Binds `address`, "host:port"; port 0 takes a free one.  Fails with a text for the operator: not of
// that form, does not resolve, in use, not this machine's, not permitted.
kj::Promise<Listener> listenOn(kj::Network& network, kj::StringPtr address);

}  // namespace gavel
