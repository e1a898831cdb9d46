#pragma once

#include <capnp/capability.h>
#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/timer.h>

#include "base/buffered-stream.h"

namespace gavel {

// Serves one bootstrap capability to everyone who connects, with a bound on connections.
//
// A peer that speaks garbage, or announces a message above Cap'n Proto's 64 MiB limit, loses its
// own connection and nobody else's.  At the bound, new connections are closed at once and logged.
// Nor can one that asks for much, or does not read what it is told, make the process grow (R13): it
// is read from no further, and at last given up.
class Server final: private kj::TaskSet::ErrorHandler {
public:
  // `timer` must outlive this object.
  Server(capnp::Capability::Client bootstrap, kj::Timer& timer, unsigned maxConnections);
  KJ_DISALLOW_COPY(Server);

  // Accepts until cancelled.  Running out of file descriptors is waited out, not an error.
  kj::Promise<void> listen(kj::ConnectionReceiver& receiver);

  unsigned connections() const { return open; }

private:
  capnp::Capability::Client bootstrap;
  kj::Timer& timer;
  OutputBudget budget;
  unsigned maxConnections;
  unsigned open = 0;
  bool saidFull = false;
  kj::TaskSet tasks;

  void serve(kj::Own<kj::AsyncIoStream> stream);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel
