#include <filesystem>
#include <signal.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/disk.h"
#include "tests/cluster/seeded.h"

// After a total outage: the nodes that the chain waits for, and the operator's means (R11).
namespace gavel::cluster {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto BRIEFLY = 50 * kj::MILLISECONDS;

class Outage: public Seeded {
protected:
  ~Outage() noexcept override = default;

  static Cluster::Options quick() {
    Cluster::Options options;
    options.masterFlags = {"--outage-wait", "300ms", "--flap-delay", "0s"};
    options.clientTimeout = 60 * kj::SECONDS;
    return options;
  }

  // Waits until the notice of `gavel chain status` is about an outage, and returns it.
  std::string awaitNotice(Cluster& cluster) {
    cluster.until("the master to notice the outage",
                  [&]() { return cluster.notice().find("total outage") != std::string::npos; });
    auto status = cluster.gavel("operator", {"chain", "status", "--check", "-o", "json"});
    EXPECT_EQ(status.status, 8) << status.errors;
    return status.output;
  }
};

TEST_F(Outage, AnyOrderOfStartIsGoodAndTheMasterMayBeLast) {
  Cluster cluster(io, quick());
  gavel::testing::Workload load(io, cluster, 6, 3);
  for (bool masterLast: {true, false}) {
    load.runUntilSteady(BRIEFLY);
    cluster.killAll();
    std::vector<std::size_t> order = {0, 1, 2};
    shuffle(order);
    if (!masterLast) cluster.restartMaster();
    for (auto i: order) cluster.restartNode(i);
    if (masterLast) cluster.restartMaster();
    cluster.untilWhole();
  }
  load.runUntilSteady(BRIEFLY);
  load.stop();
  load.verify();
  cluster.expectSameState();
  EXPECT_EQ(load.unknown(), 0u);
}

TEST_F(Outage, ChainComesBackWhileTheMasterIsOld) {
  // The nodes are lost and come back while one master runs.
  Cluster cluster(io, quick());
  gavel::testing::Workload load(io, cluster, 6, 3);
  load.runUntilSteady(BRIEFLY);
  for (std::size_t i = 0; i < 3; ++i) cluster.node(i).signal(SIGKILL);
  for (std::size_t i = 0; i < 3; ++i) cluster.node(i).kill();
  EXPECT_THAT(awaitNotice(cluster), AllOf(HasSubstr("n1"), HasSubstr("n2"), HasSubstr("n3")));
  for (std::size_t i: {1, 0, 2}) cluster.restartNode(i);
  cluster.untilWhole();
  load.runUntilSteady(BRIEFLY);
  load.stop();
  load.verify();
  EXPECT_EQ(load.unknown(), 0u);
}

TEST_F(Outage, NeitherAnEmptyDiskNorAnOlderCopyIsTheSource) {
  Cluster cluster(io, quick());
  gavel::testing::Workload load(io, cluster, 6, 3);
  load.runUntilSteady(BRIEFLY);
  cluster.killAll();
  auto copy = cluster.directory() + "/older";
  fs::copy(cluster.dataOf(1), copy, fs::copy_options::recursive);
  for (std::size_t i: {0, 1, 2}) cluster.restartNode(i);
  cluster.restartMaster();
  cluster.untilWhole();
  load.runUntilSteady(BRIEFLY);
  auto epoch = cluster.chain().epoch;

  cluster.killAll();
  wipe(cluster.dataOf(0));
  replaceWith(cluster.dataOf(1), copy);
  cluster.restartMaster();
  cluster.restartNode(0);
  cluster.restartNode(1);
  auto notice = awaitNotice(cluster);
  EXPECT_THAT(notice, HasSubstr("Awaited: n1"));
  EXPECT_THAT(notice, HasSubstr("n3 (" + cluster.nodeAddress(2) + ")"));
  cluster.until("the older copy to be refused",
                [&]() { return cluster.node(1).log().find("older copy") != std::string::npos; });
  load.runFor(500 * kj::MILLISECONDS);  // Longer than --outage-wait.
  EXPECT_EQ(cluster.chain().epoch, epoch) << cluster.logs();

  // An operator's order is refused as well.
  for (auto* node: {"n1", "n2"}) {
    auto recover = cluster.gavel("operator", {"chain", "recover", node, "--yes"});
    EXPECT_EQ(recover.status, 6) << recover.output << recover.errors;
  }
  EXPECT_EQ(cluster.chain().epoch, epoch) << cluster.logs();

  cluster.restartNode(2);
  load.runUntilSteady(BRIEFLY);
  cluster.node(1).kill();
  wipe(cluster.dataOf(1));
  cluster.restartNode(1);
  cluster.untilWhole();
  load.runUntilSteady(BRIEFLY);
  load.stop();
  load.verify();
  cluster.expectSameState();
  EXPECT_EQ(load.unknown(), 0u);
}

TEST_F(Outage, NodeThatHadLeftIsNoSourceUnlessTheOperatorSaysSo) {
  Cluster cluster(io, quick());
  auto bid = [&](const char* amount, const char* as) {
    return cluster.gavel(as, {"bid", amount, "-a", "lamp", "--timeout", "20s"});
  };
  auto result = [&]() {
    return cluster.gavel("ann", {"result", "-a", "lamp", "-o", "json", "--timeout", "20s"}).output;
  };
  ASSERT_EQ(cluster.gavel("owner", {"auctions", "create", "lamp", "--duration", "10m"}).status, 0);
  ASSERT_EQ(bid("100", "ann").status, 0);
  cluster.node(1).kill();
  cluster.untilWithout(1);
  ASSERT_EQ(bid("200", "bob").status, 0);
  cluster.killAll();
  cluster.restartMaster();
  cluster.restartNode(1);
  EXPECT_THAT(awaitNotice(cluster),
              AllOf(HasSubstr("Awaited: n1"), HasSubstr("n3"), HasSubstr("gavel chain recover")));
  auto epoch = cluster.chain().epoch;

  auto unasked = cluster.gavel("operator", {"chain", "recover", "n2"});
  EXPECT_EQ(unasked.status, 2) << unasked.errors;
  EXPECT_THAT(unasked.errors, HasSubstr("may lose bids"));
  EXPECT_EQ(cluster.chain().epoch, epoch);

  auto recovered = cluster.gavel("operator", {"chain", "recover", "n2", "--yes"});
  EXPECT_EQ(recovered.status, 0) << recovered.errors << cluster.logs();
  EXPECT_THAT(recovered.errors, HasSubstr("To go on with n2 alone"));
  EXPECT_THAT(result(), HasSubstr("\"highest\":\"100\"")) << "what only the others had is lost";

  // They join, and drop what the chain does not have any more.
  cluster.restartNode(0);
  cluster.restartNode(2);
  cluster.untilWhole();
  EXPECT_EQ(bid("150", "carl").status, 0);
  EXPECT_THAT(result(), AllOf(HasSubstr("\"highest\":\"150\""), Not(HasSubstr("200"))));
  cluster.expectSameState();
}

}  // namespace
}  // namespace gavel::cluster
