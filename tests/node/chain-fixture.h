#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <kj/debug.h>

#include "base/logging.h"
#include "base/server.h"
#include "node/node.h"
#include "tests/support/fakes.h"
#include "tests/support/loopback.h"
#include "tests/support/memory-store.h"

namespace gavel::node {

// One node of the chain under test, with a disk that becomes durable when the test wants.
struct TestNode {
  MemoryStore store;
  kj::Own<kj::ConnectionReceiver> listener;
  std::string address;
  Node node;
  Server server;
  kj::Promise<void> serving;

  TestNode(kj::AsyncIoContext& io, const SystemClock& clock, Random& random, std::string name,
           MemoryStore::Sync sync, head::Admission::Limits limits,
           chain::Replica::Options replica = {})
      : store(random.id(), sync),
        listener(io.provider->getNetwork()
                     .parseAddress(testing::ownAddress())
                     .wait(io.waitScope)
                     ->listen()),
        address(testing::ownHost() + ":" + std::to_string(listener->getPort())),
        node(io.provider->getNetwork(), io.provider->getTimer(), clock, random, store,
             store.load().wait(io.waitScope), {name, address, {"127.0.0.1:1"}, limits, replica}),
        server(node.service(), io.provider->getTimer(), 100),
        serving(server.listen(*listener).eagerlyEvaluate(nullptr)) {}

  Member member(std::string name) {
    return {kj::mv(name), address, node.replica().incarnation(), store.recovered().storeId, true};
  }
};

// A chain of real nodes in this thread, over loopback sockets.  The test plays the master.
class ChainFixture: public ::testing::Test {
protected:
  static constexpr auto PATIENCE = 10 * kj::SECONDS;
  using Sync = MemoryStore::Sync;

  ChainFixture() { setUpLogging("test", LogFormat::text, LogLevel::error); }
  ~ChainFixture() noexcept override = default;

  // Starts nodes n1, n2, … and makes them the chain of epoch 1.
  void startChain(std::size_t count, Sync sync = Sync::atOnce, head::Admission::Limits limits = {},
                  chain::Replica::Options options = {}) {
    for (std::size_t i = 0; i < count; ++i) {
      nodes.push_back(kj::heap<TestNode>(io, clock, random, "n" + std::to_string(i + 1), sync,
                                         limits, options));
    }
    configuration.clusterId = 77;
    std::vector<std::size_t> all(count);
    for (std::size_t i = 0; i < count; ++i) all[i] = i;
    relink(all);
  }

  Configuration next(const std::vector<std::size_t>& members) {
    auto result = configuration;
    ++result.epoch;
    result.members.clear();
    for (auto i: members) result.members.push_back(nodes[i]->member("n" + std::to_string(i + 1)));
    return result;
  }

  // Announces a configuration of these nodes to them, and waits until they act in it.
  void relink(const std::vector<std::size_t>& members) {
    configuration = next(members);
    kj::Vector<kj::Promise<void>> adoptions;
    for (auto i: members) {
      adoptions.add(nodes[i]->node.replica().adopt(configuration));
      nodes[i]->store.syncNow();
    }
    within(kj::joinPromises(adoptions.releaseAsArray()), "the chain to form");
  }

  // Ends its process: no connection to it works any more.
  void kill(std::size_t i) { nodes[i] = nullptr; }

  template <typename T>
  T within(kj::Promise<T> promise, const char* what) {
    return io.provider->getTimer()
        .timeoutAfter(PATIENCE, kj::mv(promise))
        .catch_([what](kj::Exception&& exception) -> kj::Promise<T> {
          KJ_FAIL_ASSERT("gave up waiting", what, exception);
        })
        .wait(io.waitScope);
  }

  // Runs the event loop until `condition` holds.
  template <typename Condition>
  void until(const char* what, Condition condition) {
    auto end = io.provider->getTimer().now() + PATIENCE;
    while (!condition()) {
      KJ_ASSERT(io.provider->getTimer().now() < end, "gave up waiting", what);
      io.provider->getTimer().afterDelay(1 * kj::MILLISECONDS).wait(io.waitScope);
    }
  }

  // Runs the event loop until all messages between the nodes have arrived, to show that something
  // does not happen.
  void settle() {
    for (int i = 0; i < 20; ++i) {
      io.provider->getTimer().afterDelay(2 * kj::MILLISECONDS).wait(io.waitScope);
    }
  }

  chain::Replica& replica(std::size_t i) { return nodes[i]->node.replica(); }

  schema::NodeService::Client connect(std::size_t i) {
    auto connection = within(Connection::open(io.provider->getNetwork(), io.provider->getTimer(),
                                              nodes[i]->address.c_str(), PATIENCE),
                             "a connection");
    auto client = connection->bootstrap<schema::NodeService>();
    connections.push_back(kj::mv(connection));
    return client;
  }

  // -- a client's calls

  using BidResponse = capnp::Response<schema::Auctioneer::BidResults>;

  static void identify(schema::Identity::Builder identity, kj::StringPtr name,
                       kj::StringPtr credential = "0123456789abcdef") {
    identity.setName(name);
    identity.setCredential(credential.asBytes());
  }

  std::uint64_t openSession(schema::NodeService::Client& client) {
    auto response = within(client.openSessionRequest().send(), "a session");
    KJ_ASSERT(response.getOutcome().isSuccess(), response);
    return response.getOutcome().getSuccess().getIndex();
  }

  void createAuction(schema::NodeService::Client& client, std::uint64_t session,
                     std::uint64_t sequence, kj::StringPtr name,
                     std::int64_t duration = 3600'000'000'000) {
    auto request = client.createRequest();
    request.initRequest().setSession(session);
    request.getRequest().setSequence(sequence);
    request.setAuction(name);
    identify(request.initOwner(), "owner");
    request.initTerms().setDuration(duration);
    auto response = within(request.send(), "an auction");
    KJ_ASSERT(response.getOutcome().isSuccess(), response);
  }

  capnp::RemotePromise<schema::Auctioneer::BidResults> bid(
      schema::NodeService::Client& client, std::uint64_t session, std::uint64_t sequence,
      std::int64_t amount, kj::StringPtr bidder = "ann",
      kj::StringPtr credential = "0123456789abcdef", kj::StringPtr auction = "lamp") {
    auto request = client.bidRequest();
    request.initRequest().setSession(session);
    request.getRequest().setSequence(sequence);
    auto body = request.initBid();
    body.setAuction(auction);
    body.setAmount(amount);
    identify(body.initBidder(), bidder, credential);
    return request.send();
  }

  capnp::Response<schema::Auctioneer::ResultResults> result(schema::NodeService::Client& client,
                                                            kj::StringPtr auction = "lamp") {
    auto request = client.resultRequest();
    request.setAuction(auction);
    return within(request.send(), "a result");
  }

  kj::AsyncIoContext io = kj::setupAsyncIo();
  gavel::testing::ManualClock clock;
  gavel::testing::SeededRandom random{1};
  Configuration configuration;
  std::vector<kj::Own<TestNode>> nodes;
  std::vector<kj::Own<Connection>> connections;
};

}  // namespace gavel::node
