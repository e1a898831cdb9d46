#include <algorithm>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/seeded.h"
#include "tests/support/workload.h"

// The master's disk is lost for good, under load.  Its store is made anew from what the nodes
// promise (R3).
namespace gavel::cluster {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr std::uint64_t STEP = 1 << 20;

class Rebuild: public ::testing::Test {
protected:
  ~Rebuild() noexcept override = default;

  static Flags rebuilding(Cluster& cluster, std::size_t node) {
    return {"--rebuild", "--node", cluster.nodeAddress(node)};
  }
  static long milliseconds(kj::Duration duration) { return duration / kj::MILLISECONDS; }

  kj::AsyncIoContext io = kj::setupAsyncIo();
};

TEST_F(Rebuild, ALostMasterIsMadeAnewUnderLoad) {
  Cluster cluster(io, 3, {"--flap-delay", "0s"});
  gavel::testing::Workload load(io, cluster, 8, 4);
  load.runUntilSteady(100 * kj::MILLISECONDS);
  cluster.master().kill();
  auto lost = cluster.directory() + "/lost-master";
  fs::rename(cluster.dataOfMaster(), lost);
  load.runUntilSteady(200 * kj::MILLISECONDS);

  auto began = clockNow();
  cluster.restartMaster(rebuilding(cluster, 1));
  auto ready = clockNow() - began;
  cluster.untilWhole();
  auto whole = clockNow() - began;
  load.runUntilSteady(200 * kj::MILLISECONDS);
  auto gap = load.longestGap(began);
  EXPECT_EQ(cluster.chain().epoch, 1 + STEP);
  EXPECT_THAT(cluster.master().log(), HasSubstr("forgotten with the lost master"));

  // It leads: a member that is killed is removed, and joins again.
  cluster.node(1).kill();
  auto killed = clockNow();
  cluster.untilWithout(1);
  load.runUntilSteady(100 * kj::MILLISECONDS);
  auto gapOfKill = load.longestGap(killed);
  cluster.restartNode(1);
  cluster.untilWhole();

  // Restores the old directory in place of the new one.
  auto anew = cluster.directory() + "/anew-master";
  cluster.master().kill();
  fs::rename(cluster.dataOfMaster(), anew);
  fs::copy(lost, cluster.dataOfMaster(), fs::copy_options::recursive);
  cluster.restartMaster();
  cluster.until("the old master to say that it is over", [&]() {
    return cluster.notice().find("do not start it again") != std::string::npos;
  });
  cluster.node(2).kill();
  load.runFor(3 * kj::SECONDS);
  EXPECT_EQ(cluster.chain().epoch, 1u) << "it decides nothing";
  auto status = cluster.gavel("operator", {"chain", "drain", "n1"});
  EXPECT_NE(status.status, 0);
  EXPECT_THAT(status.errors, HasSubstr("the master's store was made anew"));

  // A store that holds something is not rebuilt.
  cluster.master().kill();
  Process refused(io,
                  {binary("gavel-master"), "--listen", cluster.masterAddress(), "--data",
                   cluster.dataOfMaster(), "--rebuild", "--node", cluster.nodeAddress(0)},
                  cluster.directory() + "/refused.log");
  EXPECT_NE(refused.wait(), 0);
  EXPECT_THAT(refused.log(), HasSubstr("holds a configuration already, of epoch 1"));

  fs::remove_all(cluster.dataOfMaster());
  fs::rename(anew, cluster.dataOfMaster());
  cluster.restartMaster();
  cluster.restartNode(2);
  cluster.untilWhole();
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  cluster.expectSameState();
  EXPECT_EQ(load.unknown(), 0u);
  printf(
      "REBUILD master lost for good: new one leads after %ld ms, whole chain in its epoch after "
      "%ld "
      "ms, longest gap %ld ms; a kill after that: %ld ms; old master decides nothing; 0 of %zu "
      "acknowledged bids lost\n",
      milliseconds(ready), milliseconds(whole), milliseconds(gap), milliseconds(gapOfKill),
      load.acknowledged());
}

// The machine of the master was also that of a member.
TEST_F(Rebuild, WithoutAMemberThatIsLostAsWell) {
  Cluster cluster(io, 3, {"--flap-delay", "0s"});
  gavel::testing::Workload load(io, cluster, 8, 4);
  load.runUntilSteady(100 * kj::MILLISECONDS);
  cluster.master().kill();
  fs::remove_all(cluster.dataOfMaster());
  cluster.node(1).kill();
  fs::remove_all(cluster.dataOf(1));

  // Nothing is promised while a member is missing.  A rebuild that ends in the middle leaves
  // nothing that hinders the next one.
  Process first(io,
                {binary("gavel-master"), "--listen", cluster.masterAddress(), "--data",
                 cluster.dataOfMaster(), "--rebuild", "--node", cluster.nodeAddress(0)},
                cluster.directory() + "/first.log");
  cluster.until("the missing member to be named",
                [&]() { return first.log().find("not heard is n2") != std::string::npos; });
  EXPECT_THAT(first.log(), HasSubstr("--without"));
  EXPECT_EQ(cluster.status(0).getStatus().getPromisedEpoch(), 0u);
  first.kill();

  auto began = clockNow();
  auto flags = rebuilding(cluster, 0);
  flags.insert(flags.end(), {"--without", "n2"});
  cluster.restartMaster(flags);
  load.runUntilSteady(100 * kj::MILLISECONDS);
  auto gap = load.longestGap(began);
  cluster.restartNode(1);
  cluster.untilWhole();
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  cluster.expectSameState();
  printf(
      "REBUILD with a member lost for good as well, given up by name: bids after %ld ms, full "
      "length "
      "again; 0 of %zu acknowledged bids lost\n",
      milliseconds(gap), load.acknowledged());
}

}  // namespace
}  // namespace gavel::cluster
