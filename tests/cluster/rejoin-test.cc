#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/seeded.h"

// Nodes are killed and come back repeatedly, under load.  The chain has its full length again each
// time, nothing acknowledged is lost or doubled, and joins hold up nobody (R9).
namespace gavel::cluster {
namespace {

class Rejoin: public Seeded {
protected:
  ~Rejoin() noexcept override = default;

  void repeat(const char* what, std::size_t cycles, const Flags& nodeFlags,
              std::size_t bidsMeanwhile) {
    Cluster::Options options;
    // Otherwise it would, rightly, wait longer and longer.
    options.masterFlags = {"--flap-delay", "0s"};
    options.nodeFlags = nodeFlags;
    Cluster cluster(io, options);
    gavel::testing::Workload load(io, cluster, 8, 4);
    load.runUntilSteady(100 * kj::MILLISECONDS);
    for (std::size_t i = 0; i < cycles && !HasFailure(); ++i) {
      auto victim = draw(cluster.size());
      cluster.node(victim).kill();
      cluster.untilWithout(victim);
      auto goal = load.acknowledged() + bidsMeanwhile;
      while (load.acknowledged() < goal) load.runUntilSteady(20 * kj::MILLISECONDS);
      load.runFor(drawUpTo(100 * kj::MILLISECONDS));
      bringBack(cluster, load, victim, i % 5 == 4);
      load.runFor(drawUpTo(100 * kj::MILLISECONDS));
    }
    load.runUntilSteady(100 * kj::MILLISECONDS);
    load.stop();
    load.verify();
    cluster.expectSameState();
    EXPECT_EQ(load.unknown(), 0u) << "20 s are enough to learn any outcome";
    EXPECT_GT(load.acknowledged(), 20 * cycles) << "too little happened to prove anything";
    printf(
        "REJOIN %s x%zu: 0 of %zu acknowledged bids lost or doubled; full length again after %s; "
        "with the master restarted meanwhile after %s; longest gap without an acknowledgement from "
        "the restart on %s\n",
        what, cycles, load.acknowledged(), rejoined.text().c_str(),
        rejoinedWithMaster.text().c_str(), gaps.text().c_str());
  }

  std::size_t snapshots = 0;

private:
  Times rejoined;
  Times rejoinedWithMaster;
  Times gaps;

  void bringBack(Cluster& cluster, gavel::testing::Workload& load, std::size_t victim,
                 bool withMaster) {
    auto begin = clockNow();
    cluster.restartNode(victim);
    if (withMaster) {
      load.runFor(drawUpTo(30 * kj::MILLISECONDS));
      cluster.restartMaster();
    }
    cluster.untilWhole();
    auto end = clockNow();
    auto log = cluster.node(victim).log();
    if (log.find("snapshot installed") != std::string::npos) ++snapshots;
    (withMaster ? rejoinedWithMaster : rejoined).add(end - begin);
    gaps.add(load.longestGap(begin, end));
  }
};

TEST_F(Rejoin, KilledNodesComeBackAndNothingIsLost) {
  repeat("from the log", 30, {}, 0);
  EXPECT_EQ(snapshots, 0u) << "the log reached back far enough";
}

TEST_F(Rejoin, NodesThatWereAwayForLongGetASnapshot) {
  // More than between two checkpoints.  The log is truncated up to the checkpoint.
  repeat("with a log that is soon truncated", 6,
         {"--retain-bytes", "4KiB", "--retain-entries", "16", "--checkpoint-bytes", "1MiB"},
         16'000);
  EXPECT_GT(snapshots, 3u);
}

// Any process is lost and comes back meanwhile: joiners, their predecessors, everybody, the master.
TEST_F(Rejoin, AnyNumberOfProcessesIsLostAtAnyTime) {
  constexpr std::size_t CYCLES = 15;
  Cluster::Options options;
  options.masterFlags = {"--flap-delay",    "0s",   "--outage-wait", "200ms",
                         "--suspect-after", "300ms"};
  options.clientTimeout = 60 * kj::SECONDS;
  Cluster cluster(io, options);
  gavel::testing::Workload load(io, cluster, 8, 4);
  Times whole;
  for (std::size_t i = 0; i < CYCLES && !HasFailure(); ++i) {
    load.runUntilSteady(50 * kj::MILLISECONDS);
    for (auto events = 2 + draw(4); events > 0; --events) {
      auto victim = draw(cluster.size() + 1);
      if (victim == cluster.size()) {
        cluster.master().kill();
        load.runFor(drawUpTo(20 * kj::MILLISECONDS));
        cluster.restartMaster();
      } else {
        cluster.node(victim).kill();
        load.runFor(drawUpTo(20 * kj::MILLISECONDS));
        if (chance(0.7)) cluster.restartNode(victim);
      }
      load.runFor(drawUpTo(60 * kj::MILLISECONDS));
    }
    auto begin = clockNow();
    for (std::size_t each = 0; each < cluster.size(); ++each) {
      if (!cluster.node(each).running()) cluster.restartNode(each);
    }
    cluster.untilWhole();
    whole.add(clockNow() - begin);
  }
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  cluster.expectSameState();
  EXPECT_EQ(load.unknown(), 0u) << "60 s are enough to learn any outcome";
  EXPECT_GT(load.acknowledged(), 20 * CYCLES) << "too little happened to prove anything";
  printf(
      "REJOIN after anything x%zu: 0 of %zu acknowledged bids lost or doubled; full length again "
      "after %s\n",
      CYCLES, load.acknowledged(), whole.text().c_str());
}

}  // namespace
}  // namespace gavel::cluster
