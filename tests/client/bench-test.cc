#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/bench/check.h"
#include "client/bench/samples.h"
#include "tests/client/program.h"
#include "tests/support/fakes.h"

namespace gavel::client::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = schema::Version::Kind;

std::vector<Sample> ofLatencies(std::int64_t count) {
  std::vector<Sample> samples;
  for (auto i = count; i > 0; --i) samples.push_back({0, i, 1});
  return samples;
}

TEST(Percentiles, AreTheSmallestThatTheShareDoesNotExceed) {
  auto thousand = ofLatencies(1000);
  auto found = percentilesOf(thousand);
  EXPECT_EQ(found.p50, 500);
  EXPECT_EQ(found.p90, 900);
  EXPECT_EQ(found.p99, 990);
  EXPECT_EQ(found.p999, 999);
  EXPECT_EQ(found.max, 1000);
}

TEST(Percentiles, AreTheValueItselfOfOne) {
  auto one = ofLatencies(1);
  auto found = percentilesOf(one);
  EXPECT_EQ(found.p50, 1);
  EXPECT_EQ(found.p999, 1);
  EXPECT_EQ(found.max, 1);
}

TEST(Percentiles, AreNothingOfNone) {
  std::vector<Sample> none;
  EXPECT_EQ(percentilesOf(none).max, 0);
}

TEST(LongestGap, MayBeBeforeTheFirstAndAfterTheLast) {
  std::vector<Sample> samples = {{40, 0, 1}, {50, 0, 1}, {70, 0, 1}};
  auto whole = longestGap(samples, 0, 100, 100);
  EXPECT_EQ(whole.from, 0);
  EXPECT_EQ(whole.to, 40);
  EXPECT_EQ(longestGap(samples, 0, 100, 120).from, 70);
  EXPECT_EQ(longestGap({}, 0, 100, 100).length(), 100);
}

TEST(LongestGap, IsOneThatTouchesTheTimeInQuestion) {
  std::vector<Sample> samples = {{40, 0, 1}, {50, 0, 1}, {70, 0, 1}, {75, 0, 1}};
  auto gap = longestGap(samples, 45, 60, 80);
  EXPECT_EQ(gap.from, 50);
  EXPECT_EQ(gap.to, 70);
  EXPECT_EQ(longestGap(samples, 72, 74, 80).length(), 5);
}

TEST(Timeline, CountsBidsNotCalls) {
  constexpr std::int64_t MS = 1'000'000;
  std::vector<Sample> samples = {{0, 0, 3}, {9 * MS, 0, 1}, {10 * MS, 0, 2}, {25 * MS, 0, 1}};
  EXPECT_EQ(timeline(samples, 30 * MS), "ms,bids\n0,4\n10,2\n20,1\n");
}

// A history, and the answers to its bids.
class Checking: public ::testing::Test {
protected:
  ~Checking() noexcept override = default;

  std::vector<Told> told;

  struct Row {
    std::uint64_t version;
    Kind kind;
    std::string who;
    std::int64_t amount;
  };

  HistoryCheck check(const std::vector<Row>& rows) {
    sortForCheck(told);
    HistoryCheck check("lot", "b", told.data(), told.data() + told.size());
    for (auto& row: rows) {
      capnp::MallocMessageBuilder message;
      auto version = message.initRoot<schema::Version>();
      version.setVersion(row.version);
      version.setKind(row.kind);
      version.setWho(row.who.c_str());
      version.setAmount(row.amount);
      check.add(version.asReader());
    }
    check.finish();
    return check;
  }

  void expectProblem(const std::vector<Row>& rows, const std::string& text) {
    EXPECT_THAT(check(rows).problems(), ElementsAre(HasSubstr(text)));
  }

  const Row created{1, Kind::CREATED, "owner", 0};
  const Row first{2, Kind::BID, "b1", 10};
  const Row second{3, Kind::BID, "b2", 20};
  const Told firstTold{0, 1, 10, 2};
  const Told secondTold{0, 2, 20, 3};
};

TEST_F(Checking, FindsEachBidOnce) {
  told = {secondTold, firstTold};
  auto found = check({created, first, second, {4, Kind::CLOSED, "b2", 20}});
  EXPECT_THAT(found.problems(), IsEmpty());
  EXPECT_EQ(found.verified(), 2u);
}

TEST_F(Checking, MissesABid) {
  told = {firstTold, secondTold};
  expectProblem({created, first}, "the bid of 20 by b2, accepted as version 3, is not there");
}

TEST_F(Checking, MissesABidWhereAnotherChangeIs) {
  told = {firstTold};
  expectProblem({created, {2, Kind::CANCELLED, "owner", 0}}, "that version is no bid");
}

TEST_F(Checking, FindsAnotherAmountOrBidder) {
  told = {firstTold};
  expectProblem({created, {2, Kind::BID, "b1", 11}}, "is a bid of 11 by b1 there");
  expectProblem({created, {2, Kind::BID, "b3", 10}}, "is a bid of 10 by b3 there");
}

TEST_F(Checking, FindsABidThatIsThereTwice) {
  told = {firstTold};
  auto problems = check({created, first, {3, Kind::BID, "b1", 10}}).problems();
  EXPECT_THAT(problems, ElementsAre(HasSubstr("a bid of 10, after one of 10"),
                                    HasSubstr("nobody was told of")));
}

TEST_F(Checking, FindsTwoBidsThatWereToldToBeTheSameVersion) {
  told = {firstTold, {0, 2, 20, 2}};
  expectProblem({created, first}, "the bid of 20 by b2, accepted as version 2, is not there");
}

TEST_F(Checking, FindsAGapInTheVersions) {
  told = {firstTold};
  expectProblem({created, first, {4, Kind::CLOSED, "b1", 10}}, "version 4 comes after 2");
}

TEST_F(Checking, FindsABidThatNobodyWasToldOf) {
  told = {firstTold};
  expectProblem({created, first, second}, "version 3 is a bid of 20 by b2, which nobody was told");
}

TEST_F(Checking, LetsABidOfUnknownOutcomeBeThereOnceOrNot) {
  told = {firstTold, {0, 2, 20, 0}};
  EXPECT_THAT(check({created, first}).problems(), IsEmpty());
  auto there = check({created, first, second});
  EXPECT_THAT(there.problems(), IsEmpty());
  EXPECT_EQ(there.appeared(), 1u);
  EXPECT_THAT(check({created, first, second, {4, Kind::BID, "b2", 20}}).problems(),
              ElementsAre(HasSubstr("after one of 20"), HasSubstr("which is there already")));
}

struct Wrong {
  std::vector<std::string> arguments;
  std::string text;
};

class BenchUsage: public ::testing::TestWithParam<Wrong> {};

TEST_P(BenchUsage, IsNamed) {
  gavel::testing::TemporaryDirectory home;
  auto arguments = GetParam().arguments;
  arguments.insert(arguments.begin(), "bench");
  auto ran = testing::runGavel(home.path(), arguments);
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr(GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    All, BenchUsage,
    ::testing::Values(
        Wrong{{"--clients", "0"}, "--clients"}, Wrong{{"--auctions", "1000001"}, "--auctions"},
        Wrong{{"--clients", "8", "--in-flight", "4"}, "at least one call under way"},
        Wrong{{"--duration", "5s", "--bids", "10"}, "give one of them"},
        Wrong{{"--duration", "soon"}, "--duration"}, Wrong{{"--mix", "9"}, "BIDS:RESULTS"},
        Wrong{{"--mix", "0:0"}, "nothing to do"}, Wrong{{"--mix", "0:1", "--bids", "5"}, "--bids"},
        Wrong{{"--mix", "0:1", "--rate", "5"}, "--rate"}, Wrong{{"--rate", "many"}, "--rate"},
        Wrong{{"--batch", "5000"}, "--batch"}, Wrong{{"--kill", "head@1s"}, "--nodes"},
        Wrong{{"--nodes", "3", "--kill", "neck@1s"}, "roles are head, middle, tail and master"},
        Wrong{{"--nodes", "3", "--kill", "head"}, "ROLE@TIME"},
        Wrong{{"--nodes", "3", "--kill", "head@x"}, "the time of head"},
        Wrong{{"--nodes", "3", "--kill", "head@10s"}, "it is over by then"},
        Wrong{{"--spares", "1"}, "--nodes"}, Wrong{{"--dir", "x"}, "--nodes"}));

TEST(Bench, SaysThatThereIsNoChain) {
  gavel::testing::TemporaryDirectory home;
  auto ran = testing::runGavel(
      home.path(), {"bench", "-s", "127.0.0.1:1", "--timeout", "50ms", "--auctions", "1"});
  EXPECT_EQ(ran.code, 4) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("was not created"));
}

}  // namespace
}  // namespace gavel::client::cli
