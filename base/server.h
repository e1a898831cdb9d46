#pragma once

#include <capnp/capability.h>
#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/compat/tls.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "base/buffered-stream.h"
#include "base/handshake.h"

namespace gavel {

// Serves everyone who connects, within bounds.
//
// A peer that sends garbage, or announces a message above Cap'n Proto's 64 MiB limit, loses its own
// connection and nobody else's.  At the limit, new connections are closed at once, which is logged.
// A peer that asks for much, or does not read its answers, cannot make the process grow (R13):
// reading from it stops, and in the end it is closed.  A new connection has a few seconds to prove
// a role, or to send its first bytes if it proves none.  One without a role is closed when it is
// idle for long.
class Server final: private kj::TaskSet::ErrorHandler {
public:
  struct Limits {
    unsigned connections = 10'000;
    // This many of them are for peers and operators only.
    unsigned reserved = 0;
    // How long a connection of anybody else may send nothing.
    kj::Duration idle = 10 * kj::MINUTES;
  };

  // Returns what is served over a connection that has this access.
  using Bootstrap = kj::Function<capnp::Capability::Client(Access)>;

  // `timer` must outlive this object.
  Server(Bootstrap bootstrap, kj::Timer& timer, Limits limits, Secrets secrets = {},
         kj::Maybe<kj::Own<kj::TlsContext>> tls = nullptr);
  // Serves the same to everyone.
  Server(capnp::Capability::Client bootstrap, kj::Timer& timer, unsigned maxConnections);
  KJ_DISALLOW_COPY(Server);

  // Accepts until cancelled.  A failure to accept, as when file descriptors run out, is logged, and
  // accepting goes on after a pause.
  kj::Promise<void> listen(kj::ConnectionReceiver& receiver);

  unsigned connections() const { return open; }

private:
  class Served;

  Bootstrap bootstrap;
  kj::Timer& timer;
  const Limits limits;
  const Secrets secrets;
  kj::Maybe<kj::Own<kj::TlsContext>> tls;
  OutputBudget budget;
  unsigned open = 0;
  bool saidFull = false;
  kj::TaskSet tasks;

  void accepted(kj::Own<kj::AsyncIoStream> stream);
  kj::Promise<void> serve(kj::Own<kj::AsyncIoStream> stream);
  kj::Promise<void> untilIdle(const BufferedStream& stream);
  void sayFull();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel
