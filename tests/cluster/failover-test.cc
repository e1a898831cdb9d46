#include <signal.h>

#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/seeded.h"

// Kills and pauses each role under load, at random moments.  Nothing acknowledged is lost, and the
// chain goes on.  Prints how long that took.
namespace gavel::cluster {
namespace {

constexpr std::size_t NODES = 3;
constexpr std::size_t BIDDERS = 8;
constexpr std::size_t AUCTIONS = 4;

enum class Victim { head, middle, tail, master };

class Failover: public Seeded {
protected:
  ~Failover() noexcept override = default;

  static Process& processOf(Cluster& cluster, Victim victim) {
    switch (victim) {
      case Victim::head:
        return cluster.node(0);
      case Victim::middle:
        return cluster.node(1);
      case Victim::tail:
        return cluster.node(2);
      case Victim::master:
        return cluster.master();
    }
    KJ_UNREACHABLE;
  }

  void strike(Victim victim, int signal) {
    Cluster cluster(io, NODES);
    gavel::testing::Workload load(io, cluster, BIDDERS, AUCTIONS);
    load.runUntilSteady(100 * kj::MILLISECONDS);
    load.runFor(drawUpTo(100 * kj::MILLISECONDS));
    auto at = clockNow();
    processOf(cluster, victim).signal(signal);
    load.runFor(50 * kj::MILLISECONDS);
    load.runUntilSteady(200 * kj::MILLISECONDS);
    auto epoch = [&]() {
      auto asked = cluster.nodeAddress(victim == Victim::head ? 1 : 0);
      return cluster.configuration(asked).getConfiguration().getEpoch();
    };
    EXPECT_EQ(epoch(), victim == Victim::master ? 1u : 2u) << cluster.logs();
    gaps.add(load.longestGap(at));
    if (signal == SIGSTOP) {
      // When it wakes up, the events that it missed must do no harm, and it joins again by itself.
      processOf(cluster, victim).signal(SIGCONT);
      load.runUntilSteady(300 * kj::MILLISECONDS);
      cluster.untilWhole();
      EXPECT_EQ(epoch(), 4u) << "removed, named as syncing, and serving: " << cluster.logs();
    }
    load.stop();
    load.verify();
    if (signal == SIGSTOP) cluster.expectSameState();
    EXPECT_GT(load.acknowledged(), 100u) << "too little happened to prove anything";
    EXPECT_EQ(load.unknown(), 0u) << "20 s are enough to learn any outcome";
    acknowledged += load.acknowledged();
  }

  void repeat(const char* what, Victim victim, int signal, int times) {
    for (int i = 0; i < times && !HasFailure(); ++i) strike(victim, signal);
    printf("%s x%zu: 0 of %zu acknowledged bids lost; without an acknowledgement for %s\n", what,
           gaps.count(), acknowledged, gaps.text().c_str());
  }

private:
  Times gaps;
  std::size_t acknowledged = 0;
};

TEST_F(Failover, KillingTheHeadLosesNothing) {
  repeat("SIGKILL head", Victim::head, SIGKILL, 20);
}
TEST_F(Failover, KillingTheMiddleLosesNothing) {
  repeat("SIGKILL middle", Victim::middle, SIGKILL, 20);
}
TEST_F(Failover, KillingTheTailLosesNothing) {
  repeat("SIGKILL tail", Victim::tail, SIGKILL, 20);
}
TEST_F(Failover, KillingTheMasterStopsNothing) {
  repeat("SIGKILL master", Victim::master, SIGKILL, 20);
}
TEST_F(Failover, PausingTheHeadLosesNothing) {
  repeat("SIGSTOP head", Victim::head, SIGSTOP, 5);
}
TEST_F(Failover, PausingTheMiddleLosesNothing) {
  repeat("SIGSTOP middle", Victim::middle, SIGSTOP, 5);
}
TEST_F(Failover, PausingTheTailLosesNothing) {
  repeat("SIGSTOP tail", Victim::tail, SIGSTOP, 5);
}

}  // namespace
}  // namespace gavel::cluster
