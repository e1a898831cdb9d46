#include <filesystem>

#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/support/workload.h"

// Copies of data directories (R11).
namespace gavel::cluster {
namespace {

namespace fs = std::filesystem;

class Copy: public ::testing::Test {
protected:
  ~Copy() noexcept override = default;

  // Copies the directory of node `i`, which runs.
  std::string copyOf(Cluster& cluster, std::size_t i) {
    auto copy = cluster.directory() + "/copy";
    fs::copy(cluster.dataOf(i), copy, fs::copy_options::recursive);
    return copy;
  }

  kj::AsyncIoContext io = kj::setupAsyncIo();
};

// The copy shows the right generation, since it was made while the process that the master let in
// was running.  The master is lost as well, so it cannot remember what was reported to it.
TEST_F(Copy, DoesNotWinOverThoseThatHaveMoreAfterAnOutageOfEverything) {
  Cluster cluster(io, 3, {"--outage-wait", "500ms", "--flap-delay", "0s"});
  gavel::testing::Workload first(io, cluster, 8, 4);
  first.runUntilSteady(100 * kj::MILLISECONDS);
  first.stop();  // What is copied while it changes may be damaged, which would be found anyway.
  auto copy = copyOf(cluster, 0);
  gavel::testing::Workload load(io, cluster, {.bidders = 8, .auctions = 4, .prefix = "later-"});
  load.runFor(3 * kj::SECONDS);
  EXPECT_GT(load.acknowledged(), 100u);
  load.stop();

  cluster.killAll();
  fs::remove_all(cluster.dataOf(0));
  fs::rename(copy, cluster.dataOf(0));
  cluster.restartMaster();
  cluster.restartNode(0);
  cluster.until("the copy to be refused as a source", [&]() {
    return cluster.notice().find("is known to be committed") != std::string::npos;
  });
  EXPECT_EQ(cluster.chain().epoch, 1u);
  cluster.restartNode(1);
  cluster.until("the chain to go on", [&]() { return cluster.chain().epoch > 1; });
  cluster.restartNode(2);
  cluster.untilWhole();
  first.verify();
  load.verify();
  printf("COPY %zu bids acknowledged before the copy was made, %zu after it, 0 lost\n",
         first.acknowledged(), load.acknowledged());
}

}  // namespace
}  // namespace gavel::cluster
