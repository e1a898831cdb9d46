#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/seeded.h"

// Operators' changes of a chain under load, which lose nothing.
namespace gavel::cluster {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto BRIEFLY = 100 * kj::MILLISECONDS;

class Operations: public Seeded {
protected:
  ~Operations() noexcept override = default;

  static void expectDone(const Finished& ended) { EXPECT_EQ(ended.status, 0) << ended.errors; }

  static Finished chain(Cluster& cluster, Flags arguments) {
    arguments.insert(arguments.begin(), "chain");
    arguments.insert(arguments.end(), {"--timeout", "30s"});
    return cluster.gavel("operator", arguments);
  }
};

TEST_F(Operations, SpareIsBroughtInAndALostNodeThatComesBackIsTheSpareThen) {
  Cluster cluster(io, 3, {"--flap-delay", "0s"});
  auto spare = cluster.addSpare();
  gavel::testing::Workload load(io, cluster, 6, 3);
  load.runUntilSteady(BRIEFLY);
  EXPECT_FALSE(cluster.chain().serves(spare));
  cluster.node(0).kill();
  cluster.until("the spare to serve", [&]() { return cluster.chain().serves(spare); });
  cluster.restartNode(0);
  cluster.until("the lost node to wait as a spare",
                [&]() { return cluster.noteOn(0).find("spare") != std::string::npos; });
  EXPECT_THAT(cluster.chain().serving, ElementsAre(1u, 2u, spare));
  load.runUntilSteady(BRIEFLY);
  load.stop();
  load.verify();
  cluster.expectSameState();
  EXPECT_EQ(load.unknown(), 0u);
}

TEST_F(Operations, DrainAddAndReplaceLoseNothing) {
  Cluster cluster(io, 3);
  gavel::testing::Workload load(io, cluster, 6, 3);
  load.runUntilSteady(BRIEFLY);
  auto begin = clockNow();
  expectDone(chain(cluster, {"drain", "n1"}));
  EXPECT_THAT(cluster.chain().serving, ElementsAre(1u, 2u));
  load.runUntilSteady(BRIEFLY);
  expectDone(chain(cluster, {"add", "n1"}));
  EXPECT_THAT(cluster.chain().serving, ElementsAre(1u, 2u, 0u));
  cluster.addSpare();
  load.runUntilSteady(BRIEFLY);
  expectDone(chain(cluster, {"replace", "n3", "n4"}));
  EXPECT_THAT(cluster.chain().serving, ElementsAre(1u, 0u, 3u));
  load.runUntilSteady(BRIEFLY);
  // A drained node stays out, even if it was restarted and is needed.
  cluster.restartNode(2);
  cluster.node(3).kill();
  cluster.untilWithout(3);
  cluster.until("the drained node to be known",
                [&]() { return cluster.noteOn(2).find("drained") != std::string::npos; });
  expectDone(chain(cluster, {"add", "n3"}));
  EXPECT_THAT(cluster.chain().serving, ElementsAre(1u, 0u, 2u));
  load.runUntilSteady(BRIEFLY);
  auto gap = load.longestGap(begin) / kj::MILLISECONDS;
  load.stop();
  load.verify();
  cluster.expectSameState();
  EXPECT_EQ(load.unknown(), 0u);
  EXPECT_LT(gap, 1000) << "nobody should have had to be suspected first";
}

TEST_F(Operations, LastMemberCannotBeDrained) {
  Cluster cluster(io, 1);
  EXPECT_EQ(chain(cluster, {"drain", "n1"}).status, 6);
  EXPECT_THAT(cluster.chain().serving, ElementsAre(0u));
}

TEST_F(Operations, BackupThatIsTakenWhileBidsGoOnBeginsANewCluster) {
  Cluster cluster(io, 3);
  gavel::testing::Workload load(io, cluster, 6, 3);
  load.runUntilSteady(3 * BRIEFLY);
  auto told = load.told();
  auto backup = cluster.directory() + "/backup";
  expectDone(chain(cluster, {"backup", backup}));
  EXPECT_GT(load.told(), told) << "bids should have gone on";
  EXPECT_NE(chain(cluster, {"backup", backup}).status, 0) << "a backup was replaced";
  load.runUntilSteady(BRIEFLY);
  load.stop();
  load.verify();

  Cluster::Options options;
  options.restore = backup;
  Cluster other(io, options);
  other.untilWhole();
  load.verifyCopy(other, told);
  auto clusterId = [](Cluster& each) {
    return each.configuration(each.masterAddress()).getConfiguration().getClusterId();
  };
  EXPECT_NE(clusterId(cluster), clusterId(other));

  // Bidding goes on there, on the same auctions and on new ones, also after a restart.
  auto bid = [&](const std::string& amount) {
    return other.gavel("newcomer", {"bid", amount, "-a", load.auction(0)});
  };
  auto amount = std::to_string(load.nextAmount(0));
  expectDone(bid(amount));
  EXPECT_EQ(bid(amount).status, 3) << "an equal bid is too low";
  gavel::testing::Workload more(io, other, {6, 3, "new-", 0});
  more.runUntilSteady(BRIEFLY);
  other.restartNode(0);
  other.untilWhole();
  more.runUntilSteady(BRIEFLY);
  more.stop();
  more.verify();
  other.expectSameState();
  EXPECT_EQ(more.unknown(), 0u);
}

TEST_F(Operations, BackupIsOnlyRestoredIntoAnEmptyDirectory) {
  Cluster cluster(io, 1);
  ASSERT_EQ(cluster.gavel("ann", {"auctions", "create", "lamp", "--duration", "10m"}).status, 0);
  auto backup = cluster.directory() + "/backup";
  expectDone(chain(cluster, {"backup", backup}));
  cluster.node(0).kill();
  auto refused = cluster.tryRestartNode(0, {"--restore", backup});
  ASSERT_TRUE(refused.has_value());
  EXPECT_NE(refused->status, 0);
  EXPECT_THAT(refused->errors, AllOf(HasSubstr(cluster.dataOf(0)), HasSubstr("empty")));
  cluster.restartNode(0);
  cluster.untilWhole();
  EXPECT_EQ(cluster.gavel("ann", {"bid", "100", "-a", "lamp"}).status, 0);
}

}  // namespace
}  // namespace gavel::cluster
