#include <filesystem>
#include <signal.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"

// An empty chain at the addresses of an earlier one (R11).
namespace gavel::cluster {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class NewCluster: public ::testing::Test {
protected:
  ~NewCluster() noexcept override = default;

  kj::AsyncIoContext io = kj::setupAsyncIo();
};

TEST_F(NewCluster, IsRefusedUntilItIsAccepted) {
  Cluster cluster(io, 1);
  ASSERT_EQ(cluster.gavel("ann", {"auctions", "create", "lamp", "--duration", "10m"}).status, 0);
  ASSERT_EQ(cluster.gavel("ann", {"bid", "100", "-a", "lamp"}).status, 0);
  auto client = cluster.newClient(3 * kj::SECONDS);
  ASSERT_TRUE(client->result("lamp").wait(io.waitScope).get().isAuction());
  auto clusterId = [&]() {
    return cluster.configuration(cluster.masterAddress()).getConfiguration().getClusterId();
  };
  auto first = clusterId();

  // This is a mistake: the data of the old one is elsewhere.
  cluster.killAll();
  fs::rename(cluster.dataOf(0), cluster.dataOf(0) + "-elsewhere");
  fs::rename(cluster.directory() + "/master", cluster.directory() + "/master-elsewhere");
  cluster.restartMaster();
  cluster.restartNode(0);
  cluster.until("a new chain to form", [&]() { return clusterId() != 0; });
  auto second = clusterId();
  ASSERT_NE(first, second);

  auto refused = cluster.gavel("ann", {"result", "-a", "lamp"});
  EXPECT_EQ(refused.status, 4) << "6 would say that there is no such auction: " << refused.errors;
  EXPECT_THAT(refused.errors,
              AllOf(HasSubstr("cluster " + std::to_string(first)),
                    HasSubstr("cluster " + std::to_string(second)), HasSubstr("--new-cluster")));
  EXPECT_EQ(cluster.gavel("ann", {"auctions", "create", "lamp", "--duration", "10m"}).status, 4);
  EXPECT_EQ(cluster.gavel("ann", {"chain", "status", "--check"}).status, 4);
  // A process that has talked to the old one refuses the new one as long as it runs.
  auto answer = client->result("lamp").wait(io.waitScope);
  ASSERT_TRUE(answer.get().isFailure());
  EXPECT_EQ(answer.get().getFailure().getReason(), schema::QueryFailure::Reason::UNAVAILABLE);

  EXPECT_EQ(cluster.gavel("ann", {"--new-cluster", "result", "-a", "lamp"}).status, 6);
  EXPECT_EQ(cluster.gavel("ann", {"auctions", "create", "lamp", "--duration", "10m"}).status, 0);
}

// Somebody tries things, again and again at the same ports, and keeps nothing.
TEST_F(NewCluster, OfGavelUpIsMeant) {
  gavel::testing::TemporaryDirectory home;
  auto port = std::to_string(freePorts(io, 2));
  auto gavel = [&](Flags arguments) {
    Flags command = {"/usr/bin/env", "XDG_CONFIG_HOME=" + home.path(),
                     "XDG_STATE_HOME=" + home.path(), "TMPDIR=" + home.path(), binary("gavel")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
  };
  for (unsigned round = 0; round < 2; ++round) {
    Process up(io, gavel({"-o", "json", "up", "--nodes", "1", "--port", port}),
               home.path() + "/up.log");
    up.readLine();
    auto bid = runToEnd(io, gavel({"-s", "127.0.0.1:" + port, "bid", "120"}));
    EXPECT_EQ(bid.status, 0) << bid.output << bid.errors;
    up.signal(SIGINT);
    EXPECT_EQ(up.wait(), 0);
  }
}

}  // namespace
}  // namespace gavel::cluster
