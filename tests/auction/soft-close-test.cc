#include <limits>

#include <gtest/gtest.h>

#include "tests/auction/log.h"

// Soft close: late bids move the deadline.  The auction is created at 1000; its first deadline is
// 2000.
namespace gavel::auction::test {
namespace {

Terms softTerms(Nanoseconds window, Nanoseconds extension, Nanoseconds hardEnd) {
  Terms terms = plainTerms(1000);
  terms.softClose = {window, extension, hardEnd};
  return terms;
}

// The deadline after one bid at `stamp`.
Stamp deadlineAfterBidAt(Stamp stamp, const Terms& terms) {
  Log log(terms);
  const Outcome outcome = log.applyAt(stamp, bid("lamp", "ann", 100));
  EXPECT_EQ(outcome.kind, Kind::success);
  EXPECT_EQ(outcome.deadline, log.auction().deadline);
  EXPECT_EQ(log.auction().history.back().deadline, outcome.deadline);
  EXPECT_EQ(log.state.nextDeadline(), outcome.deadline);
  return outcome.deadline;
}

TEST(SoftClose, MovesTheDeadlineFromTheStartOfTheWindowOn) {
  const Terms terms = softTerms(100, 300, 5000);
  EXPECT_EQ(deadlineAfterBidAt(1899, terms), 2000);
  EXPECT_EQ(deadlineAfterBidAt(1900, terms), 2200);
  EXPECT_EQ(deadlineAfterBidAt(1999, terms), 2299);
}

TEST(SoftClose, NeverMovesTheDeadlineBack) {
  const Terms terms = softTerms(100, 50, 5000);
  EXPECT_EQ(deadlineAfterBidAt(1949, terms), 2000);
  EXPECT_EQ(deadlineAfterBidAt(1950, terms), 2000);
  EXPECT_EQ(deadlineAfterBidAt(1951, terms), 2001);
}

TEST(SoftClose, NeverMovesTheDeadlinePastTheHardEnd) {
  const Terms terms = softTerms(100, 300, 1250);  // Hard end at 2250.
  EXPECT_EQ(deadlineAfterBidAt(1949, terms), 2249);
  EXPECT_EQ(deadlineAfterBidAt(1950, terms), 2250);
  EXPECT_EQ(deadlineAfterBidAt(1951, terms), 2250);
}

TEST(SoftClose, DoesNothingWithTheHardEndAtTheDeadline) {
  EXPECT_EQ(deadlineAfterBidAt(1999, softTerms(100, 300, 1000)), 2000);
}

TEST(SoftClose, RepeatsFromTheNewDeadline) {
  Log log(softTerms(100, 300, 1500));
  EXPECT_EQ(log.applyAt(1950, bid("lamp", "ann", 100)).deadline, 2250);
  EXPECT_EQ(log.applyAt(2149, bid("lamp", "bob", 200)).deadline, 2250);
  EXPECT_EQ(log.applyAt(2150, bid("lamp", "ann", 300)).deadline, 2450);
  EXPECT_EQ(log.applyAt(2449, bid("lamp", "bob", 400)).deadline, 2500);
  EXPECT_EQ(log.applyAt(2499, bid("lamp", "ann", 500)).deadline, 2500);
  EXPECT_EQ(log.applyAt(2500, bid("lamp", "bob", 600)).kind, Kind::closed);
}

TEST(SoftClose, IsNotMovedByBidsThatFail) {
  Log log(softTerms(100, 300, 5000));
  log.applyAt(1000, bid("lamp", "ann", 100));
  EXPECT_EQ(log.applyAt(1999, bid("lamp", "bob", 109)).kind, Kind::tooLow);
  EXPECT_EQ(log.auction().deadline, 2000);
}

TEST(SoftClose, KeepsTheAuctionOpenPastItsFirstDeadline) {
  Log log(softTerms(100, 300, 5000));
  log.applyAt(1999, bid("lamp", "ann", 100));
  EXPECT_FALSE(log.state.expired(2298));
  log.closeExpired(2298);
  EXPECT_EQ(log.auction().phase, Auction::Phase::open);
  EXPECT_TRUE(log.state.expired(2299));
  log.closeExpired(2299);
  EXPECT_EQ(log.auction().phase, Auction::Phase::closed);
}

TEST(SoftClose, AbsentLeavesTheDeadlineFixed) {
  EXPECT_EQ(deadlineAfterBidAt(1999, plainTerms(1000)), 2000);
}

TEST(SoftClose, StaysWithinTimeAtTheEndOfTime) {
  constexpr Stamp END = std::numeric_limits<Stamp>::max();
  Log log;
  log.now = END - 500;
  log.apply(create("lamp", softTerms(1000, MAX_DURATION, MAX_DURATION)));
  EXPECT_EQ(log.auction().deadline, END);
  EXPECT_EQ(log.auction().hardEnd, END);
  EXPECT_EQ(log.applyAt(END - 1, bid("lamp", "ann", 1)).deadline, END);
}

}  // namespace
}  // namespace gavel::auction::test
