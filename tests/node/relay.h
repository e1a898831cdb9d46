#pragma once

#include <string>

#include <kj/async-io.h>
#include <kj/debug.h>

#include "tests/support/loopback.h"

namespace gavel::node {

// Stands between two nodes and passes bytes on until silence() is called.  After that both sides
// believe that the connections are alive, and nothing arrives.
class Relay final: public kj::TaskSet::ErrorHandler {
public:
  Relay(kj::AsyncIoContext& io, std::string target)
      : network(io.provider->getNetwork()),
        target(std::move(target)),
        listener(network.parseAddress(testing::ownAddress()).wait(io.waitScope)->listen()),
        pumps(kj::heap<kj::TaskSet>(*this)),
        accepting(accept().eagerlyEvaluate(nullptr)) {}

  std::string address() { return testing::ownHost() + ":" + std::to_string(listener->getPort()); }

  // Silences all connections made so far.  New ones work.
  void silence() { pumps = kj::heap<kj::TaskSet>(*this); }

private:
  kj::Network& network;
  std::string target;
  kj::Own<kj::ConnectionReceiver> listener;
  kj::Vector<kj::Own<kj::AsyncIoStream>> streams;  // Open to the end, silent or not.
  kj::Own<kj::TaskSet> pumps;
  kj::Promise<void> accepting;

  kj::Promise<void> accept() {
    return listener->accept()
        .then([this](kj::Own<kj::AsyncIoStream> from) {
          return network.parseAddress(target.c_str())
              .then([](kj::Own<kj::NetworkAddress> address) { return address->connect(); })
              .then([this, from = kj::mv(from)](kj::Own<kj::AsyncIoStream> to) mutable {
                pumps->add(from->pumpTo(*to).ignoreResult());
                pumps->add(to->pumpTo(*from).ignoreResult());
                streams.add(kj::mv(from));
                streams.add(kj::mv(to));
              });
        })
        .then([this]() { return accept(); });
  }

  void taskFailed(kj::Exception&& exception) override {}
};

}  // namespace gavel::node
