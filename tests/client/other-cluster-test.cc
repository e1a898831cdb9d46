#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/known-clusters.h"
#include "tests/client/program.h"
#include "tests/client/serving.h"
#include "tests/client/world.h"
#include "tests/support/fakes.h"

// Another cluster at the addresses of an earlier one (R11).
namespace gavel::client::testing {
namespace {

using cli::KnownClusters;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Reason = schema::Outcome::Exception::Reason;

const std::vector<MemberPlan> CHAIN = {{"n1", "n1:1"}, {"n2", "n2:1"}};

class OtherCluster: public ::testing::Test {
protected:
  OtherCluster() {
    for (auto& member: CHAIN) world.start(member.address, CHAIN);
    client = world.client("n1:1", "n2:1");
  }
  ~OtherCluster() noexcept override = default;

  World world;
  kj::Own<Client> client;

  // Everything is lost, and an empty chain starts at the same addresses.
  void replaceAll(std::uint64_t clusterId, std::uint64_t epoch = 1) {
    for (auto& member: CHAIN) {
      world.kill(member.address);
      auto& script = world.scripts[member.address];
      script = {};
      script.clusterId = clusterId;
      script.epoch = epoch;
      world.start(member.address, CHAIN);
    }
    world.pass(1 * kj::MILLISECONDS);  // Time for the connections to break.
  }
  std::string detail(const WriteResult& result) {
    return result.outcome().getException().getDetail().cStr();
  }
  void expectNothingCame() {
    for (auto& [address, script]: world.scripts) {
      EXPECT_TRUE(script.seen.empty()) << address;
      EXPECT_EQ(script.queries, 0u) << address;
      EXPECT_EQ(script.sessionsOpened, 0u) << address;
    }
  }
};

// Without a question first, the next bid would go to the new head with a session of the old
// cluster.
TEST_F(OtherCluster, GetsNoCallOnFreshConnections) {
  ASSERT_TRUE(world.run(client->bid(order(1))).outcome().isSuccess());
  ASSERT_TRUE(world.run(client->result("lamp")).get().isAuction());
  replaceAll(5, 1000);
  auto bid = world.run(client->bid(order(2)));
  EXPECT_TRUE(isException(bid, Reason::UNAVAILABLE)) << "certainly nothing was changed";
  EXPECT_THAT(detail(bid), HasSubstr("belongs to cluster 5, not to cluster 77"));
  auto answer = world.run(client->result("lamp"));
  ASSERT_TRUE(answer.get().isFailure());
  EXPECT_THAT(answer.get().getFailure().getDetail().cStr(),
              HasSubstr("belongs to cluster 5, not to cluster 77"));
  auto watched = world.run(client->watch("lamp", 1, 0));
  EXPECT_TRUE(watched.get().hasFailure());
  EXPECT_ANY_THROW(world.run(client->locator().peer("n1:1")));
  expectNothingCame();
  // When the right cluster is back, everything goes on.
  replaceAll(77);
  EXPECT_TRUE(world.run(client->bid(order(3))).outcome().isSuccess());
}

TEST_F(OtherCluster, OfNoneYetGetsNoCallEither) {
  ASSERT_TRUE(world.run(client->bid(order(1))).outcome().isSuccess());
  replaceAll(0, 0);
  auto bid = world.run(client->bid(order(2)));
  EXPECT_TRUE(isException(bid, Reason::UNAVAILABLE));
  expectNothingCame();
  // The same connection now leads to another cluster.
  for (auto& member: CHAIN) {
    world.scripts[member.address].clusterId = 5;
    world.scripts[member.address].epoch = 1;
  }
  EXPECT_TRUE(isException(world.run(client->bid(order(3))), Reason::UNAVAILABLE));
  expectNothingCame();
}

TEST_F(OtherCluster, ThanTheOneExpectedIsRefusedAtOnce) {
  client->locator().expectCluster(99);
  auto before = world.timer.now();
  auto bid = world.run(client->bid(order(1)));
  EXPECT_TRUE(isException(bid, Reason::UNAVAILABLE));
  EXPECT_THAT(detail(bid), AllOf(HasSubstr("cluster 99 was at these addresses"),
                                 HasSubstr("now it is cluster 77")));
  auto answer = world.run(client->result("lamp"));
  EXPECT_THAT(answer.get().getFailure().getDetail().cStr(), HasSubstr("now it is cluster 77"));
  EXPECT_LT(world.timer.now() - before, 500 * kj::MILLISECONDS);
  EXPECT_EQ(client->locator().otherCluster(), 77u);
  expectNothingCame();
}

TEST_F(OtherCluster, IsNotTakenForTheExpectedOneThatAnswersLater) {
  world.scripts["n1:1"].clusterId = 5;
  world.scripts["n2:1"].members = {{"n2", "n2:1"}};
  client->locator().expectCluster(77);
  EXPECT_TRUE(world.run(client->bid(order(1))).outcome().isSuccess());
  EXPECT_EQ(world.scripts["n2:1"].seen.size(), 1u);
  EXPECT_TRUE(world.scripts["n1:1"].seen.empty());
}

TEST_F(OtherCluster, IsAskedForOncePerConnection) {
  std::vector<kj::Promise<WriteResult>> bids;
  for (int i = 0; i < 100; ++i) bids.push_back(client->bid(order(i)));
  for (auto& bid: bids) EXPECT_TRUE(world.run(kj::mv(bid)).outcome().isSuccess());
  EXPECT_EQ(world.scripts["n1:1"].seen.size(), 100u);
}

// -- what the command line remembers

class KnownClustersTest: public ::testing::Test {
protected:
  KnownClustersTest() { setenv("XDG_STATE_HOME", home.path().c_str(), 1); }
  ~KnownClustersTest() noexcept override { unsetenv("XDG_STATE_HOME"); }

  gavel::testing::TemporaryDirectory home;
  std::string file = home.path() + "/gavel/clusters";
};

TEST_F(KnownClustersTest, AreKeptByListOfAddresses) {
  EXPECT_EQ(KnownClusters::at({"a:1", "b:1"}), 0u);
  KnownClusters::remember({"a:1", "b:1"}, 7);
  KnownClusters::remember({"c:1"}, 8);
  EXPECT_EQ(KnownClusters::at({"b:1", "a:1", "a:1"}), 7u) << "in any order";
  EXPECT_EQ(KnownClusters::at({"a:1"}), 0u) << "another list";
  EXPECT_EQ(KnownClusters::at({"c:1"}), 8u);
  KnownClusters::remember({"b:1", "a:1"}, 9);
  EXPECT_EQ(KnownClusters::at({"a:1", "b:1"}), 9u);
}

TEST_F(KnownClustersTest, AreForgottenWhereANewChainIsStarted) {
  KnownClusters::remember({"a:1", "b:1"}, 7);
  KnownClusters::remember({"b:1"}, 7);
  KnownClusters::remember({"a:11"}, 8);
  KnownClusters::forget({"x:1", "a:1"});
  EXPECT_EQ(KnownClusters::at({"a:1", "b:1"}), 0u);
  EXPECT_EQ(KnownClusters::at({"b:1"}), 7u);
  EXPECT_EQ(KnownClusters::at({"a:11"}), 8u);
}

TEST_F(KnownClustersTest, DoNotGrowForEver) {
  for (std::uint64_t i = 1; i <= 510; ++i) KnownClusters::remember({"a:" + std::to_string(i)}, i);
  EXPECT_EQ(KnownClusters::at({"a:1"}), 0u);
  EXPECT_EQ(KnownClusters::at({"a:11"}), 11u);
  EXPECT_EQ(KnownClusters::at({"a:510"}), 510u);
}

TEST_F(KnownClustersTest, AFileThatMakesNoSenseIsNothingRemembered) {
  KnownClusters::remember({"a:1"}, 7);
  std::ofstream(file) << "\n x y\n12\n0 a:1\n";
  EXPECT_EQ(KnownClusters::at({"a:1"}), 0u);
  KnownClusters::remember({"a:1"}, 7);
  EXPECT_EQ(KnownClusters::at({"a:1"}), 7u);
  setenv("XDG_STATE_HOME", "/proc/nothing", 1);
  KnownClusters::remember({"a:1"}, 7);
  EXPECT_EQ(KnownClusters::at({"a:1"}), 0u);
}

class OtherClusterCli: public ::testing::Test {
protected:
  ~OtherClusterCli() noexcept override = default;

  gavel::testing::TemporaryDirectory home;
  Serving serving;
  Script script;
  std::string address;

  void SetUp() override {
    address = serving.serve(kj::heap<ScriptedNode>(script));
    script.members = {{"n1", address}};
    script.highest = 100;
  }
  Ran gavel(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-s", address, "--timeout", "20s"});
    return serving.run([&]() { return runGavel(home.path(), arguments); });
  }
};

TEST_F(OtherClusterCli, IsRefusedByLaterCommandsUntilItIsAccepted) {
  EXPECT_EQ(gavel({"bid", "120"}).code, 0);
  script.clusterId = 5;
  script.epoch = 1000;
  script.seen.clear();
  script.queries = 0;
  for (std::vector<std::string> command: {std::vector<std::string>{"bid", "130"},
                                          {"result"},
                                          {"history"},
                                          {"auctions", "list"},
                                          {"chain", "status"},
                                          {"chain", "members"}}) {
    auto ran = gavel(command);
    EXPECT_EQ(ran.code, 4) << command[0] << ran.out << ran.err;
    EXPECT_THAT(ran.err,
                AllOf(HasSubstr("cluster 77 was found at these addresses before, and now it "
                                "is cluster 5"),
                      HasSubstr("--new-cluster")))
        << command[0];
  }
  EXPECT_TRUE(script.seen.empty());
  EXPECT_EQ(script.queries, 0u);
  EXPECT_EQ(gavel({"--new-cluster", "bid", "130"}).code, 0);
  auto later = gavel({"bid", "140"});
  EXPECT_EQ(later.code, 0) << later.err;
  EXPECT_THAT(later.err, Not(HasSubstr("cluster")));
}

}  // namespace
}  // namespace gavel::client::testing
