#pragma once

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/timer.h>

#include "base/buffered-stream.h"
#include "base/tcp-progress.h"

namespace gavel {

// One RPC connection to an address, as a client.  It breaks for good: to reconnect, open another.
//
// Cap'n Proto does not notice a peer that has gone silent, so callers put their own deadline on
// every call.  Dropping the object closes the connection, and breaks the capabilities that came
// through it.
class Connection {
public:
  // Resolves once connected.  Fails with OVERLOADED after `timeout`, DISCONNECTED if refused,
  // FAILED if `address` ("host:port") cannot be parsed or resolved.
  static kj::Promise<kj::Own<Connection>> open(kj::Network& network, kj::Timer& timer,
                                               kj::StringPtr address, kj::Duration timeout);

  // `timer` must outlive this object.
  Connection(kj::Own<kj::AsyncIoStream> stream, kj::Timer& timer);
  KJ_DISALLOW_COPY(Connection);

  // The peer's bootstrap capability.
  template <typename Interface>
  typename Interface::Client bootstrap() {
    return client.bootstrap().castAs<Interface>();
  }

  // Resolves when the connection is gone.
  kj::Promise<void> onDisconnect() { return client.onDisconnect(); }

  // Returns what the kernel knows of the bytes sent over it; null where it knows nothing.
  kj::Maybe<TcpProgress> progress() { return tcpProgressOf(stream); }

private:
  BufferedStream stream;
  capnp::TwoPartyClient client;
};

// Returns whether `address` looks like "host:port", with a port up to and including 65535.
bool isHostPort(kj::StringPtr address);

// Listens on "host:port".  Throws FAILED with a text for the operator that names the address and
// what is wrong.  Waits until the name is resolved, so it is for main() only.
kj::Own<kj::ConnectionReceiver> listenOn(kj::Network& network, kj::WaitScope& waitScope,
                                         kj::StringPtr address);

// Returns the host of `listenAddress` with the `port` that a listener was bound to: "host:port".
kj::String boundAddress(kj::StringPtr listenAddress, unsigned port);

}  // namespace gavel
