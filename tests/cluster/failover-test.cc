#include <algorithm>
#include <random>
#include <signal.h>
#include <stdlib.h>

#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"

// Every role is killed, and paused, under load, at random moments: nothing acknowledged is lost,
// and the chain goes on.  Prints how long that took.
namespace gavel::cluster {
namespace {

constexpr std::size_t NODES = 3;
constexpr std::size_t BIDDERS = 8;
constexpr std::size_t AUCTIONS = 4;

enum class Victim { head, middle, tail, master };

class Failover: public ::testing::Test {
protected:
  Failover() {
    const char* given = getenv("GAVEL_SEED");
    seed = given != nullptr ? strtoull(given, nullptr, 10) : std::random_device()();
    engine.seed(seed);
    printf("seed %llu (repeat with GAVEL_SEED)\n", static_cast<unsigned long long>(seed));
  }
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
    load.runFor(std::uniform_int_distribution<>(0, 100'000)(engine) * kj::MICROSECONDS);
    auto at = kj::systemPreciseMonotonicClock().now();
    processOf(cluster, victim).signal(signal);
    load.runFor(50 * kj::MILLISECONDS);
    load.runUntilSteady(200 * kj::MILLISECONDS);
    if (signal == SIGSTOP) {
      // What it slept through must not do any harm when it wakes up.
      processOf(cluster, victim).signal(SIGCONT);
      load.runUntilSteady(300 * kj::MILLISECONDS);
    }
    load.stop();
    load.verify();
    EXPECT_GT(load.acknowledged(), 100u) << "too little happened to prove anything";
    EXPECT_EQ(load.unknown(), 0u) << "20 s are enough to learn any outcome";
    auto expected = victim == Victim::master ? 1u : 2u;
    EXPECT_EQ(cluster.configuration(cluster.nodeAddress(victim == Victim::head ? 1 : 0))
                  .getConfiguration()
                  .getEpoch(),
              expected)
        << cluster.logs();
    gaps.push_back((load.longestGap(at)) / kj::MICROSECONDS / 1000.0);
    acknowledged += load.acknowledged();
  }

  void repeat(const char* what, Victim victim, int signal, int times) {
    for (int i = 0; i < times && !HasFailure(); ++i) strike(victim, signal);
    std::sort(gaps.begin(), gaps.end());
    printf(
        "%s x%zu: 0 of %zu acknowledged bids lost; without an acknowledgement for p50 %.1f ms, "
        "max %.1f ms\n",
        what, gaps.size(), acknowledged, gaps[gaps.size() / 2], gaps.back());
  }

  kj::AsyncIoContext io = kj::setupAsyncIo();
  unsigned long long seed = 0;
  std::mt19937_64 engine;
  std::vector<double> gaps;
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
