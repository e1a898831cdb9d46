#include "base/server.h"

#include <kj/debug.h>

#include "base/buffered-stream.h"
#include "base/logging.h"

namespace gavel {
namespace {

constexpr auto RETRY_ACCEPT = 100 * kj::MILLISECONDS;

}  // namespace

Server::Server(capnp::Capability::Client bootstrap, kj::Timer& timer, unsigned maxConnections)
    : server(kj::mv(bootstrap)), timer(timer), maxConnections(maxConnections), tasks(*this) {}

kj::Promise<void> Server::listen(kj::ConnectionReceiver& receiver) {
  return receiver.accept()
      .then(
          [this](kj::Own<kj::AsyncIoStream> stream) -> kj::Promise<void> {
            serve(kj::mv(stream));
            return kj::READY_NOW;
          },
          [this](kj::Exception&& exception) -> kj::Promise<void> {
            logWarning("cannot accept a connection", {{"error", exception.getDescription()}});
            return timer.afterDelay(RETRY_ACCEPT);
          })
      .then([this, &receiver]() { return listen(receiver); });
}

void Server::serve(kj::Own<kj::AsyncIoStream> stream) {
  if (open >= maxConnections) {
    if (!saidFull) {
      logWarning("refusing connections: at the limit", {{"connections", open}});
    }
    saidFull = true;
    return;
  }
  saidFull = false;
  ++open;
  auto buffered = kj::heap<BufferedStream>(kj::mv(stream), timer);
  auto& reference = *buffered;
  tasks.add(server.accept(reference).attach(kj::mv(buffered), kj::defer([this]() { --open; })));
}

void Server::taskFailed(kj::Exception&& exception) {
  logWarning("a connection failed", {{"error", exception.getDescription()}});
}

}  // namespace gavel
