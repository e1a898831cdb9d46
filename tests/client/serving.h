#pragma once

#include <functional>
#include <string>

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/thread.h>

#include "tests/client/program.h"
#include "tests/support/loopback.h"

namespace gavel::client::testing {

// Runs the built program while this thread serves it on a real socket.
class Serving {
public:
  kj::AsyncIoContext io = kj::setupAsyncIo();

  // Begins to serve, and returns the address.
  std::string serve(capnp::Capability::Client bootstrap) {
    receiver = io.provider->getNetwork()
                   .parseAddress(gavel::testing::ownAddress())
                   .wait(io.waitScope)
                   ->listen();
    server = kj::heap<capnp::TwoPartyServer>(kj::mv(bootstrap));
    listening = server->listen(*receiver).eagerlyEvaluate(nullptr);
    return gavel::testing::ownHost() + ":" + std::to_string(receiver->getPort());
  }

  // Serves a further process, which stays.
  std::string serveAlso(capnp::Capability::Client bootstrap) {
    auto also = io.provider->getNetwork()
                    .parseAddress(gavel::testing::ownAddress())
                    .wait(io.waitScope)
                    ->listen();
    auto address = gavel::testing::ownHost() + ":" + std::to_string(also->getPort());
    auto its = kj::heap<capnp::TwoPartyServer>(kj::mv(bootstrap));
    auto accepting = its->listen(*also);
    others.add(accepting.attach(kj::mv(its), kj::mv(also)).eagerlyEvaluate(nullptr));
    return address;
  }

  // Breaks all connections and refuses new ones.  Must not be called by a served call: see
  // loseLater().
  void lose() {
    listening = nullptr;
    server = nullptr;
    receiver = nullptr;
  }
  void loseLater() {
    losing = kj::evalLater([this]() { lose(); }).eagerlyEvaluate(nullptr);
  }

  Ran run(std::function<Ran()> program) {
    auto paf = kj::newPromiseAndCrossThreadFulfiller<Ran>();
    kj::Thread thread(
        [&program, fulfiller = kj::mv(paf.fulfiller)]() mutable { fulfiller->fulfill(program()); });
    return paf.promise.wait(io.waitScope);
  }

private:
  kj::Own<kj::ConnectionReceiver> receiver;
  kj::Own<capnp::TwoPartyServer> server;
  kj::Promise<void> listening = nullptr;
  kj::Promise<void> losing = nullptr;
  kj::Vector<kj::Promise<void>> others;
};

}  // namespace gavel::client::testing
