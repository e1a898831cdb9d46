#include <algorithm>
#include <chrono>
#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/simulation/faults.h"
#include "tests/simulation/runner.h"

// Whole runs.  tests/simulation/run makes more and longer ones.
namespace gavel::simulation {
namespace {

// They take about half a minute on two cores.
#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t FIXED_SEEDS = 10;
constexpr std::uint64_t FRESH_SEEDS = 20;
#else
constexpr std::uint64_t FIXED_SEEDS = 200;
constexpr std::uint64_t FRESH_SEEDS = 250;
#endif
// With so many, everything that is rare has happened.
constexpr std::uint64_t ENOUGH = 200;
constexpr unsigned JOBS = 2;

std::string traceOf(std::uint64_t seed) {
  Trace trace(Trace::Detail::wire);
  runSeed(seed, trace);
  return trace.text();
}

// The first line in which two texts differ.
std::string difference(const std::string& a, const std::string& b) {
  auto at = static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                     a.begin());
  auto begin = a.rfind('\n', at) + 1;
  return a.substr(begin, a.find('\n', at) - begin) + "\nis\n" +
         b.substr(begin, b.find('\n', at) - begin);
}

TEST(Simulation, RepeatsItselfByteForByte) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    auto first = traceOf(seed);
    // Remains of another run change nothing.
    traceOf(seed + 1000);
    auto second = traceOf(seed);
    EXPECT_GT(first.size(), 10'000u);
    EXPECT_TRUE(first == second) << "seed " << seed << ": " << difference(first, second);
  }
}

TEST(Simulation, HasTheSameHashWhateverIsWrittenDown) {
  Trace silent(Trace::Detail::none);
  Trace loud(Trace::Detail::wire);
  EXPECT_EQ(runSeed(3, silent).hash, runSeed(3, loud).hash);
  EXPECT_TRUE(silent.text().empty());
  Trace other(Trace::Detail::none);
  EXPECT_NE(runSeed(4, other).hash, silent.hash());
}

void pass(std::uint64_t first, std::uint64_t count) {
  Seeds seeds;
  seeds.first = first;
  seeds.count = count;
  seeds.jobs = JOBS;
  auto summary = runSeeds(seeds);
  printf("%s", summary.text().c_str());
  EXPECT_TRUE(summary.failures.empty());
  // Or they would have proved little: see what kinds there are.  A seed has 97 on average, with a
  // standard deviation of 54: of twenty seeds in a row some have 56.
  EXPECT_GE(summary.operations.successes, (count < ENOUGH ? 30 : 60) * count);
  if (count < ENOUGH) return;
  EXPECT_GE(summary.results["joined"], count);
  EXPECT_GE(summary.results["outages survived"], count / 4);
  EXPECT_GT(summary.results["snapshots installed"], 0u);
  EXPECT_GT(summary.results["logs cut"], 0u);
  for (unsigned i = 0; i < FAULTS; ++i) {
    auto fault = name(static_cast<Fault>(i));
    EXPECT_GE(summary.faults[fault], count / 10) << fault;
  }
  EXPECT_GE(summary.results["masters rebuilt"], count / 40);
}

TEST(Simulation, HoldsWithFixedSeeds) {
  pass(1, FIXED_SEEDS);
}

TEST(Simulation, HoldsWithFreshSeeds) {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  auto first = static_cast<std::uint64_t>(now / std::chrono::seconds(1)) * 1000;
  printf("fresh seeds from %llu\n", static_cast<unsigned long long>(first));
  pass(first, FRESH_SEEDS);
}

// Seeds that have found something.  Whoever changes what a run draws may have to look for others,
// with what is named here undone.

std::string failureOf(std::uint64_t seed) {
  Trace trace(Trace::Detail::none);
  return runSeed(seed, trace).failure;
}

// A master ended when its store answered a watch after it had read something newer
// (LedgerTest.PassesOverAnAnswerThatComesAfterANewerOne).
TEST(Found, MasterHearsLateOfAnOldVersion) {
  EXPECT_EQ(failureOf(5), "");
  EXPECT_EQ(failureOf(7), "");
}

// A node was let in whose clock had been set right after its start, and stamped by the wrong one
// (Bidding.ClockThatIsSetIsNotTakenForTheTimeOfTheChain).
TEST(Found, ClockIsSetRightAfterTheStart) {
  EXPECT_EQ(failureOf(32), "");
  EXPECT_EQ(failureOf(115), "");
}

// A clock that went wrong while its node was opening its store was not put right by a restart
// (Faults).
TEST(Found, ClockGoesWrongDuringTheStart) {
  EXPECT_EQ(failureOf(1006712), "");
}

// The master saw less of a skew than there was, as the node's word was on its way for as long
// (Checks::checkStamp allows for that).
TEST(Found, RegistrationOnASlowLinkHidesSomeOfASkew) {
  EXPECT_EQ(failureOf(1007272), "");
}

// A node lost its power and its disk just before the master formed a chain of it alone, which is
// more than is survived (Faults::mayWipe).
TEST(Found, OnlyMemberToBeLosesItsDisk) {
  EXPECT_EQ(failureOf(1795736604186), "");
}

// A master had sent a configuration to its store when all power was lost; it arrived after a member
// that it names had been given an older copy of its directory (ChecksTest).
TEST(Found, DecisionNamesAMemberWhoseDirectoryIsReplacedMeanwhile) {
  EXPECT_EQ(failureOf(700584), "");
}

// Two masters undid each other's choices for as long as each had other nodes connected to it
// (StandbyTest).
TEST(Found, MastersWhoseNodesAreSplitBetweenThem) {
  EXPECT_EQ(failureOf(1004839), "");
}

// One of two masters heard the only member, the other one all who could join, and never asked that
// member again, which it had lost while that was cut off (SplitTest).
TEST(Found, MasterHoldsAMemberForLostThatIsAtAnother) {
  EXPECT_EQ(failureOf(700858), "");
}

// An operator's order went on from a node with an older copy of its directory, in which it had an
// entry that no other node ever got (Checks::gaveUp).
TEST(Found, OrderGoesOnFromALogThatHadLeftTheCommittedOne) {
  EXPECT_EQ(failureOf(1795937923020), "");
}

}  // namespace
}  // namespace gavel::simulation
