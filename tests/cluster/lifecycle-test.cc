#include <filesystem>
#include <signal.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"

// The life of a chain, with real processes.
namespace gavel::cluster {
namespace {

using ::testing::HasSubstr;
using Role = schema::NodeStatus::Role;

class Lifecycle: public ::testing::Test {
protected:
  ~Lifecycle() noexcept override = default;

  std::uint64_t epoch(Cluster& cluster, std::size_t node) {
    return cluster.configuration(cluster.nodeAddress(node)).getConfiguration().getEpoch();
  }

  // Runs the CLI as a bidder with a credential of its own.
  Finished gavel(Cluster& cluster, const std::string& as, std::vector<std::string> arguments) {
    std::vector<std::string> command = {"/usr/bin/env",
                                        "XDG_CONFIG_HOME=" + cluster.directory() + "/" + as,
                                        "XDG_STATE_HOME=" + cluster.directory() + "/" + as,
                                        binary("gavel"),
                                        "--server",
                                        cluster.servers(),
                                        "--as",
                                        as};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return runToEnd(io, command);
  }

  kj::AsyncIoContext io = kj::setupAsyncIo();
};

TEST_F(Lifecycle, ChainOfOneWorksAndItsLastMemberIsNeverRemoved) {
  Cluster cluster(io, 1, {"--suspect-after", "300ms"});
  gavel::testing::Workload load(io, cluster, 4, 2);
  load.runUntilSteady(100 * kj::MILLISECONDS);
  cluster.node(0).signal(SIGSTOP);
  load.runFor(1 * kj::SECONDS);
  cluster.node(0).signal(SIGCONT);
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  EXPECT_EQ(epoch(cluster, 0), 1u);
}

TEST_F(Lifecycle, ShrinksToOneUnderLoadAndLosesNothing) {
  Cluster cluster(io, 4);
  gavel::testing::Workload load(io, cluster, 6, 3);
  for (std::size_t victim: {1, 3, 0}) {
    load.runUntilSteady(50 * kj::MILLISECONDS);
    cluster.node(victim).kill();
  }
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  EXPECT_EQ(cluster.status(2).getStatus().getRole(), Role::SINGLE);
  EXPECT_EQ(load.unknown(), 0u);
}

TEST_F(Lifecycle, MasterThatComesBackDisturbsNothingAndReLinksAgain) {
  Cluster cluster(io, 3);
  gavel::testing::Workload load(io, cluster, 4, 2);
  load.runUntilSteady(50 * kj::MILLISECONDS);
  cluster.master().kill();
  load.runUntilSteady(300 * kj::MILLISECONDS);
  cluster.restartMaster();
  load.runUntilSteady(1500 * kj::MILLISECONDS);  // Longer than a master waits for its nodes.
  EXPECT_EQ(epoch(cluster, 2), 1u) << cluster.logs();
  cluster.node(0).kill();
  load.runUntilSteady(100 * kj::MILLISECONDS);
  EXPECT_EQ(epoch(cluster, 2), 2u);
  load.stop();
  load.verify();
}

TEST_F(Lifecycle, MasterThatLostItsDataStopsNothing) {
  Cluster cluster(io, 3);
  gavel::testing::Workload load(io, cluster, 4, 2);
  load.runUntilSteady(50 * kj::MILLISECONDS);
  cluster.master().kill();
  std::filesystem::remove_all(cluster.directory() + "/master");
  cluster.restartMaster();
  cluster.until("the master to refuse the members of a chain it does not know", [&]() {
    return cluster.master().log().find("refused a node") != std::string::npos;
  });
  load.runUntilSteady(300 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(cluster.node(i).running()) << cluster.logs();
}

TEST_F(Lifecycle, NodeLostWhileThereIsNoMasterIsReplacedWhenItComesBack) {
  Cluster cluster(io, 3);
  gavel::testing::Workload load(io, cluster, 4, 2);
  load.runUntilSteady(50 * kj::MILLISECONDS);
  cluster.master().kill();
  cluster.node(1).kill();
  load.runFor(500 * kj::MILLISECONDS);
  EXPECT_EQ(epoch(cluster, 0), 1u);
  cluster.restartMaster();
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  EXPECT_EQ(epoch(cluster, 0), 2u);
}

TEST_F(Lifecycle, RestartedNodeJoinsAfterTheTail) {
  Cluster cluster(io, 3);
  gavel::testing::Workload load(io, cluster, 4, 2);
  load.runUntilSteady(100 * kj::MILLISECONDS);
  cluster.restartNode(1);  // At once, with its name and its data.
  cluster.until("the node to serve again", [&]() {
    auto chain = cluster.chain();
    return chain.epoch > 1 && chain.serves(1);
  });
  cluster.untilWhole();
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  EXPECT_EQ(cluster.status(0).getStatus().getRole(), Role::HEAD);
  EXPECT_EQ(cluster.status(2).getStatus().getRole(), Role::MIDDLE);
  EXPECT_EQ(cluster.status(1).getStatus().getRole(), Role::TAIL);
  cluster.expectSameState();
}

TEST_F(Lifecycle, NodeThatIsLostAgainAndAgainWaitsLongerEachTime) {
  Cluster cluster(io, 2, {"--flap-delay", "300ms"});
  auto times = std::vector<kj::Duration>();
  for (int i = 0; i < 4; ++i) {
    auto begin = kj::systemPreciseMonotonicClock().now();
    cluster.node(1).kill();
    cluster.untilWithout(1);
    cluster.restartNode(1);
    cluster.untilWhole();
    times.push_back(kj::systemPreciseMonotonicClock().now() - begin);
  }
  // The first time it need not wait, the second time it waits for the delay, then for twice that,
  // and so on.
  EXPECT_GE(times[1], 300 * kj::MILLISECONDS);
  EXPECT_GE(times[2], 600 * kj::MILLISECONDS);
  EXPECT_GE(times[3], 1200 * kj::MILLISECONDS);
}

TEST_F(Lifecycle, AllNodesEndWithTheSameState) {
  Cluster cluster(io, 3);
  gavel::testing::Workload load(io, cluster, 8, 4);
  load.runUntilSteady(300 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  cluster.expectSameState();
}

TEST_F(Lifecycle, NodeBeyondTheTargetLengthWaits) {
  Cluster cluster(io, 2);
  cluster.addSpare();
  cluster.until("the spare to have heard of the chain", [&]() { return epoch(cluster, 2) == 1; });
  EXPECT_EQ(cluster.status(2).getStatus().getRole(), Role::WAITING);
  EXPECT_EQ(cluster.configuration(cluster.masterAddress()).getConfiguration().getMembers().size(),
            2u);
  // It is no member, but serves whoever asks it.
  auto bid =
      runToEnd(io, {"/usr/bin/env", "XDG_CONFIG_HOME=" + cluster.directory(),
                    "XDG_STATE_HOME=" + cluster.directory(), binary("gavel"), "-s",
                    cluster.nodeAddress(2), "auctions", "create", "lamp", "--duration", "10m"});
  EXPECT_EQ(bid.status, 0) << bid.errors;
}

TEST_F(Lifecycle, WinnerWhoseProcessIsGoneIsStillTheWinner) {
  Cluster cluster(io, 3);
  auto created = gavel(cluster, "owner", {"auctions", "create", "lamp", "--duration", "800ms"});
  ASSERT_EQ(created.status, 0) << created.errors;
  EXPECT_EQ(gavel(cluster, "ann", {"bid", "120", "-a", "lamp"}).status, 0);
  EXPECT_EQ(gavel(cluster, "bob", {"bid", "110", "-a", "lamp"}).status, 3);
  cluster.node(0).kill();  // The head that took the winning bid dies as well.
  auto result = gavel(cluster, "carl", {"result", "-a", "lamp", "--wait", "-o", "json"});
  EXPECT_EQ(result.status, 0) << result.errors;
  EXPECT_THAT(result.output, HasSubstr("\"winner\":\"ann\""));
  EXPECT_THAT(result.output, HasSubstr("\"price\":\"120\""));
  EXPECT_EQ(gavel(cluster, "ann", {"bid", "130", "-a", "lamp"}).status, 6);
}

TEST_F(Lifecycle, DeadlineThatPassesWithoutAHeadIsHonouredByTheNextOne) {
  Cluster cluster(io, 3);
  ASSERT_EQ(gavel(cluster, "owner", {"auctions", "create", "lamp", "--duration", "1s"}).status, 0);
  ASSERT_EQ(gavel(cluster, "ann", {"bid", "120", "-a", "lamp"}).status, 0);
  cluster.master().kill();
  cluster.node(0).kill();
  io.provider->getTimer().afterDelay(1200 * kj::MILLISECONDS).wait(io.waitScope);
  auto before = gavel(cluster, "bob", {"--timeout", "1s", "result", "-a", "lamp", "-o", "json"});
  EXPECT_EQ(before.status, 4) << "for all that the others know, the head may be in a newer chain";
  EXPECT_THAT(before.output, HasSubstr("\"unavailable\""));
  cluster.restartMaster();
  auto after = gavel(cluster, "bob", {"result", "-a", "lamp", "--wait", "-o", "json"});
  EXPECT_THAT(after.output, HasSubstr("\"winner\":\"ann\"")) << after.errors;
}

TEST_F(Lifecycle, EveryNodeAnswersTheCommandLine) {
  Cluster cluster(io, 3);
  ASSERT_EQ(gavel(cluster, "owner", {"auctions", "create", "lamp", "--duration", "10m"}).status, 0);
  for (std::size_t i = 0; i < 3; ++i) {
    auto amount = std::to_string(100 + i);
    auto at = cluster.nodeAddress(i);
    EXPECT_EQ(gavel(cluster, "ann", {"-s", at, "bid", amount, "-a", "lamp"}).status, 0) << at;
    auto result = gavel(cluster, "ann", {"-s", at, "result", "-a", "lamp", "-o", "json"});
    EXPECT_THAT(result.output, HasSubstr("\"highest\":\"" + amount + "\"")) << result.errors;
  }
}

TEST_F(Lifecycle, ReplayGoesOnWhileNodesAreKilled) {
  Cluster cluster(io, 3);
  Process replay(io,
                 {"/usr/bin/env", "XDG_CONFIG_HOME=" + cluster.directory(),
                  "XDG_STATE_HOME=" + cluster.directory(), binary("gavel"), "-s", cluster.servers(),
                  "replay", GAVEL_SMALL_CSV, "--verify", "-o", "json", "--in-flight", "2"},
                 cluster.directory() + "/replay.log");
  cluster.until("the replay to have begun",
                [&]() { return cluster.status(2).getStatus().getCommit() > 20; });
  cluster.node(1).kill();
  cluster.node(0).kill();
  auto summary = replay.readLine(30 * kj::SECONDS);
  EXPECT_EQ(replay.wait(), 0) << replay.log() << cluster.logs();
  EXPECT_THAT(summary, HasSubstr("\"unknown\":\"0\""));
}

}  // namespace
}  // namespace gavel::cluster
