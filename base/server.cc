#include "base/server.h"

#include <memory>

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel {
namespace {

constexpr auto RETRY_ACCEPT = 100 * kj::MILLISECONDS;
// Each of TLS and the proof of a role may take this long; without a role, so may the first bytes.
constexpr auto HANDSHAKE_TIMEOUT = 5 * kj::SECONDS;
// Words of calls of one connection that are not answered yet: 8 MiB.  Other nodes forward the calls
// of many clients over one connection.
constexpr std::size_t FLOW_LIMIT_WORDS = 1024 * 1024;

}  // namespace

// A peer's connection, with the RPC system that serves it.
class Server::Served {
public:
  Served(kj::Own<kj::AsyncIoStream> inner, kj::Timer& timer, OutputBudget& budget)
      : stream(kj::mv(inner), timer, budget) {}

  BufferedStream stream;

  ~Served() noexcept(false) { *handle = nullptr; }
  KJ_DISALLOW_COPY(Served);

  // Returns what a caller who has proved `role` may do over this connection.
  Access accessOf(ConnectionRole role, const Secrets& secrets) {
    auto access = Access::of(role, secrets);
    access.progress = [handle = handle]() -> kj::Maybe<TcpProgress> {
      return *handle == nullptr ? kj::Maybe<TcpProgress>(nullptr) : tcpProgressOf(**handle);
    };
    return access;
  }

  // Begins to serve.  Resolves when the connection is gone.
  kj::Promise<void> serve(capnp::Capability::Client bootstrap) {
    auto& network = this->network.emplace(stream, capnp::rpc::twoparty::Side::SERVER);
    rpc.emplace(capnp::makeRpcServer(network, kj::mv(bootstrap))).setFlowLimit(FLOW_LIMIT_WORDS);
    return network.onDisconnect();
  }

private:
  // Points to `stream`, for those who may outlive this object; then it points to null.
  std::shared_ptr<kj::AsyncIoStream*> handle = std::make_shared<kj::AsyncIoStream*>(&stream);
  kj::Maybe<capnp::TwoPartyVatNetwork> network;
  kj::Maybe<capnp::RpcSystem<capnp::rpc::twoparty::VatId>> rpc;
};

Server::Server(Bootstrap bootstrap, kj::Timer& timer, Limits limits, Secrets secrets,
               kj::Maybe<kj::Own<kj::TlsContext>> tls)
    : bootstrap(kj::mv(bootstrap)),
      timer(timer),
      limits(limits),
      secrets(kj::mv(secrets)),
      tls(kj::mv(tls)),
      tasks(*this) {}

Server::Server(capnp::Capability::Client bootstrap, kj::Timer& timer, unsigned maxConnections)
    : Server([bootstrap](Access) mutable { return bootstrap; }, timer, Limits{maxConnections}) {}

kj::Promise<void> Server::listen(kj::ConnectionReceiver& receiver) {
  return receiver.accept()
      .then(
          [this](kj::Own<kj::AsyncIoStream> stream) -> kj::Promise<void> {
            accepted(kj::mv(stream));
            return kj::READY_NOW;
          },
          [this](kj::Exception&& exception) -> kj::Promise<void> {
            logWarning("cannot accept a connection", {{"error", exception.getDescription()}});
            return timer.afterDelay(RETRY_ACCEPT);
          })
      .then([this, &receiver]() { return listen(receiver); });
}

void Server::accepted(kj::Own<kj::AsyncIoStream> stream) {
  if (open >= limits.connections) return sayFull();
  if (open + limits.reserved < limits.connections) saidFull = false;
  ++open;
  auto served = kj::evalNow([&]() { return serve(kj::mv(stream)); });
  tasks.add(served.attach(kj::defer([this]() { --open; })));
}

kj::Promise<void> Server::serve(kj::Own<kj::AsyncIoStream> stream) {
  kj::Promise<kj::Own<kj::AsyncIoStream>> ready = nullptr;
  KJ_IF_MAYBE (context, tls) {
    ready = timer.timeoutAfter(HANDSHAKE_TIMEOUT, (*context)->wrapServer(kj::mv(stream)));
  } else {
    ready = kj::mv(stream);
  }
  return ready.then([this](kj::Own<kj::AsyncIoStream> stream) -> kj::Promise<void> {
    auto served = kj::heap<Served>(kj::mv(stream), timer, budget);
    auto& connection = *served;
    return timer.timeoutAfter(HANDSHAKE_TIMEOUT, acceptRole(connection.stream, secrets))
        .then([this, &connection](ConnectionRole role) -> kj::Promise<void> {
          auto access = connection.accessOf(role, secrets);
          if (role != ConnectionRole::anyone) return connection.serve(bootstrap(kj::mv(access)));
          // Callers without a role leave room for those on whom the chain rests.
          if (open + limits.reserved > limits.connections) {
            sayFull();
            return kj::READY_NOW;
          }
          return connection.serve(bootstrap(kj::mv(access)))
              .exclusiveJoin(untilIdle(connection.stream));
        })
        .attach(kj::mv(served));
  });
}

kj::Promise<void> Server::untilIdle(const BufferedStream& stream) {
  return timer.atTime(stream.heard() + limits.idle).then([this, &stream]() -> kj::Promise<void> {
    if (timer.now() - stream.heard() < limits.idle) return untilIdle(stream);
    logInfo("closing a connection: nothing has come for long",
            {{"seconds", limits.idle / kj::SECONDS}});
    return kj::READY_NOW;
  });
}

void Server::sayFull() {
  if (!saidFull) logWarning("refusing connections: at the limit", {{"connections", open}});
  saidFull = true;
}

void Server::taskFailed(kj::Exception&& exception) {
  logWarning("a connection failed", {{"error", exception.getDescription()}});
}

}  // namespace gavel
