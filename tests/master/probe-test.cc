#include "master/probe.h"

#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <kj/debug.h>

#include "tests/master/world.h"
#include "tests/support/loopback.h"

namespace gavel::master {
namespace {

constexpr auto TIMEOUT = 250 * kj::MILLISECONDS;

class ProbeTest: public ::testing::Test {
protected:
  ~ProbeTest() noexcept override = default;

  World world;

  ProbeResult ask(const std::string& address, std::uint64_t incarnation) {
    return world.wait(probe(world.network, world.timer, address.c_str(), incarnation, TIMEOUT));
  }
  kj::Duration timeOf(kj::Function<void()> action) {
    auto start = world.timer.now();
    action();
    return world.timer.now() - start;
  }
};

TEST_F(ProbeTest, TellsWhoAnswers) {
  auto& node = world.startNode("n1");
  EXPECT_EQ(ask(node.address, node.incarnation), ProbeResult::alive);
  EXPECT_EQ(ask(node.address, 1), ProbeResult::other);
}

TEST_F(ProbeTest, IsRefusedAtOnce) {
  auto time = timeOf([this]() { EXPECT_EQ(ask("n1:1", 1), ProbeResult::refused); });
  EXPECT_EQ(time / kj::MILLISECONDS, 0);
}

TEST_F(ProbeTest, EndsSilenceAtItsDeadline) {
  auto& node = world.startNode("n1");
  node.paused = true;
  world.network.endpoints["n2:1"] = {Reaction::silent};
  for (auto& address: {node.address, std::string("n2:1")}) {
    auto time = timeOf([&]() { EXPECT_EQ(ask(address, 1), ProbeResult::silent); });
    EXPECT_EQ(time / kj::MILLISECONDS, 250);
  }
}

TEST_F(ProbeTest, AsksAgainIfTheConnectionClosesEarly) {
  auto& endpoint = world.network.endpoints["n1:1"] = {Reaction::close};
  EXPECT_EQ(ask("n1:1", 1), ProbeResult::inconclusive);

  // A process that is ending: it closes connections, then refuses them.
  bool done = false;
  auto result = ProbeResult::alive;
  auto asking = probe(world.network, world.timer, "n1:1", 1, TIMEOUT)
                    .then([&](ProbeResult answer) {
                      result = answer;
                      done = true;
                    })
                    .eagerlyEvaluate(nullptr);
  world.runFor(5 * kj::MILLISECONDS);
  EXPECT_FALSE(done);
  EXPECT_EQ(endpoint.reaction, Reaction::close);
  world.network.endpoints.clear();
  EXPECT_LE(world.runUntil([&]() { return done; }) / kj::MILLISECONDS, 1);
  EXPECT_EQ(result, ProbeResult::refused);
}

TEST_F(ProbeTest, BlamesNobodyForALackOfFiles) {
  world.network.outOfFiles = true;
  EXPECT_EQ(ask("n1:1", 1), ProbeResult::inconclusive);
}

TEST_F(ProbeTest, TellsAnAddressThatDoesNotResolve) {
  EXPECT_EQ(ask("nowhere", 1), ProbeResult::unreachable);
}

TEST_F(ProbeTest, TellsAMasterFromANode) {
  world.startMaster();
  world.network.endpoints["m:1"] = {Reaction::serve, world.masterServer.get()};
  EXPECT_EQ(ask("m:1", 1), ProbeResult::other);
}

// Uses the real network, since the errors of the system have to be understood.
TEST(ProbeOverSockets, IsRefused) {
  auto io = kj::setupAsyncIo();
  auto& network = io.provider->getNetwork();
  auto listener = network.parseAddress(testing::ownAddress()).wait(io.waitScope)->listen();
  auto address = kj::str(testing::ownHost(), ":", listener->getPort());
  listener = nullptr;
  EXPECT_EQ(
      probe(network, io.provider->getTimer(), address, 1, 10 * kj::SECONDS).wait(io.waitScope),
      ProbeResult::refused);
}

}  // namespace
}  // namespace gavel::master
