#include "base/server.h"

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel {
namespace {

constexpr auto RETRY_ACCEPT = 100 * kj::MILLISECONDS;
// Of calls of one connection that are not answered yet: 8 MiB.  Other nodes forward what many
// clients ask over one.
constexpr std::size_t FLOW_LIMIT_WORDS = 1024 * 1024;

// A peer's connection, with what is asked for over it.
class Served {
public:
  Served(capnp::Capability::Client bootstrap, kj::Own<kj::AsyncIoStream> inner, kj::Timer& timer,
         OutputBudget& budget)
      : stream(kj::mv(inner), timer, budget),
        network(stream, capnp::rpc::twoparty::Side::SERVER),
        rpc(capnp::makeRpcServer(network, kj::mv(bootstrap))) {
    rpc.setFlowLimit(FLOW_LIMIT_WORDS);
  }

  kj::Promise<void> onDisconnect() { return network.onDisconnect(); }

private:
  BufferedStream stream;
  capnp::TwoPartyVatNetwork network;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc;
};

}  // namespace

Server::Server(capnp::Capability::Client bootstrap, kj::Timer& timer, unsigned maxConnections)
    : bootstrap(kj::mv(bootstrap)), timer(timer), maxConnections(maxConnections), tasks(*this) {}

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
  auto served = kj::heap<Served>(bootstrap, kj::mv(stream), timer, budget);
  auto gone = served->onDisconnect();
  tasks.add(gone.attach(kj::mv(served), kj::defer([this]() { --open; })));
}

void Server::taskFailed(kj::Exception&& exception) {
  logWarning("a connection failed", {{"error", exception.getDescription()}});
}

}  // namespace gavel
