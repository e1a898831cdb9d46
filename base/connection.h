#pragma once

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/timer.h>

#include "base/buffered-stream.h"
#include "base/tcp-progress.h"

namespace gavel {

// One RPC connection to an address, as a client.  It breaks for good: to reconnect, open another.
//
// Cap'n Proto does not notice a peer that has gone silent: callers put their own deadline on every
// call.  Dropping the object closes the connection; capabilities got through it are then broken.
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

  // How far what was sent over it has come, as the kernel knows; null where it does not.
  kj::Maybe<TcpProgress> progress() { return tcpProgressOf(stream); }

private:
  BufferedStream stream;
  capnp::TwoPartyClient client;
};

// Whether `address` looks like "host:port", with a port up to 65535.
bool isHostPort(kj::StringPtr address);

// Listens on "host:port".  Throws FAILED with a text for the operator: what is wrong with which
// address. Waits for the name to be resolved: for main() only.
kj::Own<kj::ConnectionReceiver> listenOn(kj::Network& network, kj::WaitScope& waitScope,
                                         kj::StringPtr address);

// "host:port" of a bound listener whose host part was given as `host`.
kj::String boundAddress(kj::StringPtr listenAddress, unsigned port);

}  // namespace gavel
