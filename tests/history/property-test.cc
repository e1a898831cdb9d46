#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/history/checker.h"
#include "tests/history/generator.h"
#include "tests/history/history-file.h"

// Long histories, which no other checker can judge.  Those made right are accepted.  Those in which
// one thing was made wrong are rejected.
namespace gavel::history::test {
namespace {

using Told = Outcome::Kind;

struct Parts {
  std::vector<Operation> operations;
  std::vector<FinalHistory> finals;

  explicit Parts(const History& history)
      : operations(history.operations()), finals(history.finals()) {}

  History history() const {
    History result;
    for (auto& operation: operations) result.add(operation);
    for (auto& final: finals) result.add(final);
    return result;
  }

  FinalHistory& finalOf(const Operation& operation) {
    for (auto& final: finals) {
      if (final.auction == operation.auction) return final;
    }
    throw std::logic_error("no final history");
  }
};

const Generator::Options LONG{.operations = 2000,
                              .auctions = 4,
                              .clients = 16,
                              .spread = 16,
                              .unknown = 0.1,
                              .duration = 100'000'000,
                              .lasting = true};

TEST(LongHistory, MadeRightIsAccepted) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Generator generator(seed);
    auto history = generator.make(LONG);
    auto verdict = check(history);
    ASSERT_TRUE(verdict.linearizable()) << "seed " << seed << "\n" << verdict.text();
    ASSERT_GT(verdict.unknownApplied, 10u);
    auto many = LONG;
    many.auctions = 100;
    many.duration = 10'000;
    many.lasting = false;
    verdict = check(generator.make(many));
    ASSERT_TRUE(verdict.linearizable()) << "seed " << seed << "\n" << verdict.text();
  }
}

class OneThingWrong: public ::testing::Test {
protected:
  // `spoil` makes something wrong about an accepted bid.  `acknowledged`: only about an
  // acknowledged one.
  void expectRejected(bool acknowledged,
                      const std::function<void(Parts&, Operation& bid, Generator&)>& spoil) {
    std::size_t tried = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      Generator generator(seed);
      Parts parts(generator.make(LONG));
      auto at = generator.below(parts.operations.size());
      auto& operation = parts.operations[at];
      auto wanted = acknowledged ? Told::success : Told::tooLow;
      if (operation.kind != Kind::bid || operation.outcome.kind != wanted) continue;
      ++tried;
      auto bid = operation;  // A spoiler may insert it.
      spoil(parts, bid, generator);
      parts.operations[at] = bid;
      auto verdict = check(parts.history());
      ASSERT_FALSE(verdict.linearizable()) << "seed " << seed << ", " << describe(operation);
    }
    EXPECT_GT(tried, 20u);
  }
};

TEST_F(OneThingWrong, AcknowledgedBidIsDropped) {
  expectRejected(true, [](Parts& parts, Operation& bid, Generator&) {
    auto& versions = parts.finalOf(bid).versions;
    versions.erase(versions.begin() + static_cast<std::ptrdiff_t>(bid.outcome.version - 1));
    for (std::size_t i = 0; i < versions.size(); ++i) versions[i].version = i + 1;
  });
}

TEST_F(OneThingWrong, TailOfAHistoryIsDropped) {
  expectRejected(true, [](Parts& parts, Operation& bid, Generator&) {
    parts.finalOf(bid).versions.resize(bid.outcome.version - 1);
  });
}

TEST_F(OneThingWrong, BidIsThereAgainAtTheEnd) {
  expectRejected(true, [](Parts& parts, Operation& bid, Generator&) {
    auto& versions = parts.finalOf(bid).versions;
    auto copy = versions[bid.outcome.version - 1];
    copy.version = versions.size() + 1;
    copy.index = versions.back().index + 1;
    copy.stamp = versions.back().stamp;
    copy.deadline = versions.back().deadline;
    versions.push_back(copy);
  });
}

TEST_F(OneThingWrong, TwoVersionsAreSwapped) {
  expectRejected(true, [](Parts& parts, Operation& bid, Generator&) {
    auto& versions = parts.finalOf(bid).versions;
    auto& here = versions[bid.outcome.version - 1];
    auto& other = bid.outcome.version == versions.size() ? versions[bid.outcome.version - 2]
                                                         : versions[bid.outcome.version];
    std::swap(here.who, other.who);
    std::swap(here.amount, other.amount);
    std::swap(here.kind, other.kind);
  });
}

TEST_F(OneThingWrong, AmountIsAnother) {
  expectRejected(true, [](Parts&, Operation& bid, Generator&) { ++bid.amount; });
  expectRejected(true, [](Parts& parts, Operation& bid, Generator&) {
    ++parts.finalOf(bid).versions[bid.outcome.version - 1].amount;
  });
}

TEST_F(OneThingWrong, BidderIsAnother) {
  expectRejected(true, [](Parts& parts, Operation& bid, Generator&) {
    parts.finalOf(bid).versions[bid.outcome.version - 1].who = "somebody";
  });
}

TEST_F(OneThingWrong, AcknowledgedBidWasRefused) {
  expectRejected(true, [](Parts&, Operation& bid, Generator&) {
    bid.outcome = {};
    bid.outcome.kind = Told::notApplied;
  });
}

TEST_F(OneThingWrong, BidWasAskedForAfterItWasSeen) {
  expectRejected(true, [](Parts& parts, Operation& bid, Generator&) {
    // Long after the others, but before the final history was read.
    bid.invoked = bid.returned = parts.finalOf(bid).invoked - 1;
    auto& versions = parts.finalOf(bid).versions;
    auto version = versions[bid.outcome.version - 1];
    Operation early;
    early.auction = bid.auction;
    early.invoked = early.returned = bid.invoked - 1;
    early.outcome.kind = Told::open;
    early.outcome.version = version.version;
    early.outcome.amount = version.amount;
    early.outcome.who = version.who;
    early.outcome.deadline = version.deadline;
    for (auto& other: parts.operations) {
      if (other.kind == Kind::create && other.outcome.kind == Told::success &&
          other.auction == bid.auction) {
        early.outcome.nextValid = version.amount + other.terms.increment;
      }
    }
    parts.operations.push_back(early);
  });
}

TEST_F(OneThingWrong, ReadIsStale) {
  std::size_t tried = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Generator generator(seed);
    Parts parts(generator.make(LONG));
    // A read that is asked again after the next version was shown.
    for (auto& read: parts.operations) {
      if (read.kind != Kind::result || read.outcome.kind != Told::open) continue;
      auto next = std::find_if(parts.operations.begin(), parts.operations.end(), [&](auto& other) {
        return other.auction == read.auction && other.outcome.kind == Told::success &&
               other.outcome.version == read.outcome.version + 1;
      });
      if (next == parts.operations.end()) continue;
      read.invoked = next->returned + 1;
      read.returned = read.invoked + 1;
      if (read.returned >= parts.finals[0].invoked) continue;
      ++tried;
      break;
    }
    auto verdict = check(parts.history());
    ASSERT_FALSE(verdict.linearizable()) << "seed " << seed;
    ASSERT_NE(verdict.text().find("OLD STATE"), std::string::npos) << verdict.text();
  }
  EXPECT_GT(tried, 90u);
}

TEST_F(OneThingWrong, RefusalQuotesAnotherHighestBid) {
  expectRejected(false, [](Parts&, Operation& bid, Generator&) {
    // Increments are below 7, so no two accepted bids are that near to each other and to this one.
    ++bid.outcome.amount;
  });
  expectRejected(false, [](Parts&, Operation& bid, Generator&) { --bid.outcome.nextValid; });
}

TEST_F(OneThingWrong, RefusedBidIsThere) {
  expectRejected(false, [](Parts& parts, Operation& bid, Generator&) {
    auto& versions = parts.finalOf(bid).versions;
    auto copy = versions.back();
    ++copy.version;
    ++copy.index;
    copy.kind = Version::Kind::bid;
    copy.who = bid.who;
    copy.amount = bid.amount = copy.amount + 100;
    versions.push_back(copy);
  });
}

double secondsFor(const History& history, bool expected) {
  auto begin = std::chrono::steady_clock::now();
  auto verdict = check(history);
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(verdict.linearizable(), expected) << verdict.text();
  return took.count();
}

TEST(LongHistory, OfAHundredThousandOperationsIsCheckedInSeconds) {
  for (std::size_t auctions: {1, 1000}) {
    auto options = LONG;
    options.operations = 100'000;
    options.auctions = auctions;
    options.clients = options.spread = 64;
    Generator generator(1);
    auto history = generator.make(options);
    auto good = secondsFor(history, true);
    Parts parts(history);
    auto& read = *std::find_if(parts.operations.begin(), parts.operations.end(), [](auto& each) {
      return each.kind == Kind::result && each.outcome.kind == Told::open;
    });
    read.returned = parts.finals[0].invoked - 1;
    read.invoked = read.returned - 1;
    auto bad = secondsFor(parts.history(), false);
    std::stringstream file;
    write(history, file);
    EXPECT_EQ(gavel::history::read(file, "memory"), history);
    auto verdict = check(history);
    printf(
        "CHECKER %zu operations by 64 clients on %zu auction(s), %zu with an unknown outcome of "
        "which %zu happened: accepted in %.2f s; with one old answer, rejected in %.2f s\n",
        verdict.operations, verdict.auctions, verdict.unknown, verdict.unknownApplied, good, bad);
    EXPECT_LT(good, 5);
    EXPECT_LT(bad, 5);
  }
}

}  // namespace
}  // namespace gavel::history::test
