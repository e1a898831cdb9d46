#include "tests/history/brute-force.h"

#include <cstdio>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/history/checker.h"
#include "tests/history/generator.h"
#include "tests/history/history-file.h"

// On small histories, the checker decides exactly as trying all orders does.
namespace gavel::history::test {
namespace {

std::string textOf(const History& history) {
  std::ostringstream stream;
  write(history, stream);
  return stream.str();
}

class Agreement: public ::testing::Test {
protected:
  std::size_t right = 0;
  std::size_t wrong = 0;

  // Makes `seeds` histories, and some mutations of each.
  void compare(const Generator::Options& options, std::uint64_t seeds) {
    for (std::uint64_t seed = 0; seed < seeds && !HasFailure(); ++seed) {
      Generator generator(seed);
      auto history = generator.make(options);
      ASSERT_TRUE(possible(history)) << "seed " << seed << "\n" << textOf(history);
      compare(history, seed);
      for (int i = 0; i < 4 && !HasFailure(); ++i) {
        auto mutated = generator.mutate(history);
        if (generator.chance(0.3) && !mutated.operations().empty()) {
          mutated = generator.mutate(mutated);
        }
        compare(mutated, seed);
      }
    }
  }

  void compare(const History& history, std::uint64_t seed) {
    bool expected = possible(history);
    auto verdict = check(history);
    ASSERT_EQ(verdict.linearizable(), expected) << "seed " << seed << "\n"
                                                << textOf(history) << verdict.text();
    ++(expected ? right : wrong);
  }

  void summarize(const char* what) {
    printf("AGREEMENT %s: %zu histories that are possible and %zu that are not\n", what, right,
           wrong);
    EXPECT_GT(right, (right + wrong) / 5);
    EXPECT_GT(wrong, (right + wrong) / 5);
  }
};

TEST_F(Agreement, OnOneAuction) {
  compare({.operations = 8, .auctions = 1}, 10'000);
  summarize("on one auction");
}

TEST_F(Agreement, WithMuchAtTheSameTimeAndMuchUnknown) {
  compare({.operations = 7, .auctions = 1, .spread = 8, .unknown = 0.5}, 10'000);
  summarize("with much unknown");
}

TEST_F(Agreement, OnAuctionsThatEndSoon) {
  compare({.operations = 8, .auctions = 1, .stampStep = 60, .duration = 150}, 10'000);
  summarize("on an auction that ends soon");
}

TEST_F(Agreement, OnTwoAuctionsOfOneLog) {
  compare({.operations = 8, .auctions = 2, .unknown = 0.15, .stampStep = 60}, 10'000);
  summarize("on two auctions");
}

}  // namespace
}  // namespace gavel::history::test
