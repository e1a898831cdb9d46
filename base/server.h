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
// A peer that speaks garbage, or announces a message above Cap'n Proto's 64 MiB limit, loses its
// own connection and nobody else's.  At the bound, new connections are closed at once and logged.
// Nor can one that asks for much, or does not read what it is told, make the process grow (R13): it
// is read from no further, and at last given up.  Who connects has a few seconds for saying who
// they are, if they have to, and is closed when nothing comes from them for long.
class Server final: private kj::TaskSet::ErrorHandler {
public:
  struct Limits {
    unsigned connections = 10'000;
    // Of these, so many are for peers and operators only.
    unsigned reserved = 0;
    // Of anybody else's connection.
    kj::Duration idle = 10 * kj::MINUTES;
  };

  // What a connection that may do this much is served.
  using Bootstrap = kj::Function<capnp::Capability::Client(Access)>;

  // `timer` must outlive this object.
  Server(Bootstrap bootstrap, kj::Timer& timer, Limits limits, Secrets secrets = {},
         kj::Maybe<kj::Own<kj::TlsContext>> tls = nullptr);
  // The same for everyone.
  Server(capnp::Capability::Client bootstrap, kj::Timer& timer, unsigned maxConnections);
  KJ_DISALLOW_COPY(Server);

  // Accepts until cancelled.  Running out of file descriptors is waited out, not an error.
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
