#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/auction/log.h"

// Bids: the amount, the bidder, the auction, and the time.
namespace gavel::auction::test {
namespace {

constexpr Amount MOST = std::numeric_limits<Amount>::max();

Terms withIncrement(Increment::Kind kind, std::int64_t value) {
  Terms terms = plainTerms();
  terms.increment = {kind, value};
  return terms;
}

// The next valid amount after `highest` by the rule of the auction.
Amount nextAfter(Amount highest, Increment::Kind kind, std::int64_t value) {
  Log log(withIncrement(kind, value));
  EXPECT_EQ(log.apply(bid("lamp", "ann", highest)).kind, Kind::success);
  return log.auction().nextValid();
}
Amount nextAfterPercent(Amount highest, std::int64_t value) {
  return nextAfter(highest, Increment::Kind::percent, value);
}

TEST(Bid, SucceedsAsFirstWithAnyPositiveAmountWithoutStartingPrice) {
  Log log(plainTerms());
  EXPECT_EQ(log.auction().nextValid(), 1);
  const Outcome outcome = log.apply(bid("lamp", "ann", 1));
  EXPECT_EQ(outcome.kind, Kind::success);
  EXPECT_EQ(outcome.index, log.state.lastIndex());
  EXPECT_EQ(outcome.version, 2u);
  EXPECT_EQ(outcome.stamp, 1000);
  EXPECT_EQ(outcome.deadline, 2000);
  EXPECT_EQ(log.auction().highest, 1);
  EXPECT_EQ(log.leader(), "ann");
}

TEST(Bid, LeavesAVersionAndAnEvent) {
  Log log(plainTerms());
  log.applyAt(1234, bid("lamp", "ann", 50));
  ASSERT_EQ(log.auction().version(), 2u);
  const Version& version = log.auction().history[1];
  EXPECT_EQ(version.kind, Version::Kind::bid);
  EXPECT_EQ(version.stamp, 1234);
  EXPECT_EQ(version.index, log.state.lastIndex());
  EXPECT_EQ(version.bidder, log.state.findBidder("ann")->id);
  EXPECT_EQ(version.amount, 50);
  EXPECT_EQ(version.deadline, 2000);
  ASSERT_EQ(log.events.size(), 2u);
  EXPECT_EQ(log.events[1].auction, &log.auction());
  EXPECT_EQ(log.events[1].version, 2u);
}

TEST(Bid, FailsOneBelowStartingPrice) {
  Terms terms = plainTerms();
  terms.startingPrice = 100;
  Log log(terms);
  const Outcome outcome = log.apply(bid("lamp", "ann", 99));
  EXPECT_EQ(outcome.kind, Kind::belowStart);
  EXPECT_EQ(outcome.nextValid, 100);
  EXPECT_EQ(outcome.highest, 0);
  EXPECT_EQ(log.auction().version(), 1u);
  EXPECT_EQ(log.apply(bid("lamp", "ann", 100)).kind, Kind::success);
}

TEST(Bid, FailsOneBelowNextValidAmount) {
  Log log(plainTerms());
  log.apply(bid("lamp", "ann", 100));
  const Outcome outcome = log.apply(bid("lamp", "bob", 109));
  EXPECT_EQ(outcome.kind, Kind::tooLow);
  EXPECT_EQ(outcome.highest, 100);
  EXPECT_EQ(outcome.nextValid, 110);
  EXPECT_EQ(outcome.version, 0u);
  EXPECT_EQ(log.auction().highest, 100);
  EXPECT_EQ(log.leader(), "ann");
  EXPECT_EQ(log.auction().version(), 2u);
}

TEST(Bid, SucceedsAtNextValidAmount) {
  Log log(plainTerms());
  log.apply(bid("lamp", "ann", 100));
  EXPECT_EQ(log.apply(bid("lamp", "bob", 110)).kind, Kind::success);
  EXPECT_EQ(log.leader(), "bob");
}

TEST(Bid, OfEqualAmountLeavesTheFirstInLogOrderLeading) {
  Log log(plainTerms());
  EXPECT_EQ(log.apply(bid("lamp", "ann", 100)).kind, Kind::success);
  const Outcome second = log.apply(bid("lamp", "bob", 100));
  EXPECT_EQ(second.kind, Kind::tooLow);
  EXPECT_EQ(second.highest, 100);
  EXPECT_EQ(second.nextValid, 110);
  EXPECT_EQ(log.leader(), "ann");
}

TEST(Bid, MayBeRaisedByItsOwnBidder) {
  Log log(plainTerms());
  log.apply(bid("lamp", "ann", 100));
  EXPECT_EQ(log.apply(bid("lamp", "ann", 110)).kind, Kind::success);
}

TEST(Bid, RisesByPercentRoundedUp) {
  EXPECT_EQ(nextAfterPercent(1000, 250), 1025);  // 2.5 % is exactly 25.
  EXPECT_EQ(nextAfterPercent(1001, 250), 1027);  // 25.025 becomes 26.
  EXPECT_EQ(nextAfterPercent(999, 250), 1024);   // 24.975 becomes 25.
  EXPECT_EQ(nextAfterPercent(10'000, 1), 10'001);
  EXPECT_EQ(nextAfterPercent(10'001, 1), 10'003);  // 1.0001 becomes 2.
}

TEST(Bid, RisesByAtLeastOne) {
  EXPECT_EQ(nextAfterPercent(1, 1), 2);
  EXPECT_EQ(nextAfter(1, Increment::Kind::absolute, 1), 2);
}

TEST(Bid, CanRiseToTheMostButNotBeyond) {
  const auto absolute = Increment::Kind::absolute;
  EXPECT_EQ(nextAfter(MOST - 10, absolute, 10), MOST);
  EXPECT_EQ(nextAfter(MOST - 9, absolute, 10), 0);
  EXPECT_EQ(nextAfter(MOST, absolute, 1), 0);
  EXPECT_EQ(nextAfter(1, absolute, MOST), 0);
  EXPECT_EQ(nextAfterPercent(MOST, 1), 0);
  EXPECT_EQ(nextAfterPercent(MOST, MAX_INCREMENT_PERCENT), 0);
  EXPECT_EQ(nextAfterPercent(MOST / 11, MAX_INCREMENT_PERCENT), MOST / 11 * 11);
  EXPECT_EQ(nextAfterPercent(MOST / 11 + 1, MAX_INCREMENT_PERCENT), 0);
}

TEST(Bid, FailsWhateverItsAmountWhenNoneIsHighEnough) {
  Log log(plainTerms());
  log.apply(bid("lamp", "ann", MOST - 5));
  const Outcome outcome = log.apply(bid("lamp", "bob", MOST));
  EXPECT_EQ(outcome.kind, Kind::tooLow);
  EXPECT_EQ(outcome.highest, MOST - 5);
  EXPECT_EQ(outcome.nextValid, 0);
  EXPECT_EQ(log.leader(), "ann");
}

TEST(Bid, IsInvalidUnlessPositive) {
  Log log(plainTerms());
  EXPECT_EQ(log.apply(bid("lamp", "ann", 0)).kind, Kind::invalidAmount);
  EXPECT_EQ(log.apply(bid("lamp", "ann", -1)).kind, Kind::invalidAmount);
  EXPECT_EQ(log.apply(bid("lamp", "ann", std::numeric_limits<Amount>::min())).kind,
            Kind::invalidAmount);
  const Judgement judgement = log.judge(bid("no-such", "ann", 0));
  EXPECT_EQ(judgement.outcome.kind, Kind::invalidAmount);
  EXPECT_FALSE(judgement.log);
  EXPECT_EQ(judgement.basis, 0u);
  EXPECT_EQ(log.state.findBidder("ann"), nullptr);
}

TEST(Bid, SucceedsOneBeforeTheDeadlineAndIsClosedAtIt) {
  Log log(plainTerms(1000));
  EXPECT_EQ(log.applyAt(1999, bid("lamp", "ann", 100)).kind, Kind::success);
  EXPECT_EQ(log.applyAt(2000, bid("lamp", "bob", 200)).kind, Kind::closed);
  EXPECT_EQ(log.leader(), "ann");
}

TEST(Bid, PastTheDeadlineOfAnOpenAuctionNeedsTheLog) {
  Log log(plainTerms(1000));
  log.apply(bid("lamp", "ann", 100));
  log.now = 2000;
  const Judgement judgement = log.judge(bid("lamp", "ann", 200));
  EXPECT_EQ(judgement.outcome.kind, Kind::closed);
  EXPECT_TRUE(judgement.log);
}

TEST(Bid, OnAClosedAuctionNeedsNoLog) {
  Log log(plainTerms(1000));
  log.apply(bid("lamp", "ann", 100));
  log.closeExpired(2000);
  const Judgement judgement = log.judge(bid("lamp", "ann", 200));
  EXPECT_EQ(judgement.outcome.kind, Kind::closed);
  EXPECT_FALSE(judgement.log);
  EXPECT_EQ(judgement.basis, log.state.lastIndex());
  EXPECT_EQ(judgement.outcome.index, 0u);
  EXPECT_EQ(judgement.outcome.stamp, 2000);
}

TEST(Bid, ThatFailsNeedsNoLogOnceItsBidderIsKnown) {
  Terms terms = plainTerms();
  terms.startingPrice = 10;
  Log log(terms);
  const Judgement unknown = log.judge(bid("lamp", "ann", 9));
  EXPECT_EQ(unknown.outcome.kind, Kind::belowStart);
  EXPECT_TRUE(unknown.log);
  EXPECT_EQ(unknown.outcome.index, log.state.lastIndex() + 1);
  log.apply(bid("lamp", "ann", 10));

  EXPECT_FALSE(log.judge(bid("lamp", "ann", 19)).log);
  EXPECT_EQ(log.judge(bid("lamp", "ann", 19)).basis, log.state.lastIndex());
  EXPECT_TRUE(log.judge(bid("lamp", "bob", 19)).log);
  EXPECT_TRUE(log.judge(bid("lamp", "ann", 20)).log);

  log.apply(create("vase", terms));
  const Judgement belowStart = log.judge(bid("vase", "ann", 9));
  EXPECT_EQ(belowStart.outcome.kind, Kind::belowStart);
  EXPECT_FALSE(belowStart.log);
}

TEST(Bid, OnNoAuctionIsAlwaysLogged) {
  Log log(plainTerms());
  EXPECT_TRUE(log.judge(bid("vase", "ann", 1)).log);
  const Outcome first = log.apply(bid("vase", "ann", 1));
  EXPECT_EQ(first.kind, Kind::noSuchAuction);
  EXPECT_NE(first.index, 0u);
  EXPECT_TRUE(log.judge(bid("vase", "ann", 1)).log) << "also from a known bidder";
}

TEST(Bid, RegistersItsBidder) {
  Log log(plainTerms());
  EXPECT_EQ(log.state.findBidder("ann"), nullptr);
  EXPECT_EQ(log.state.bidderCount(), 1u) << "the owner";
  log.apply(bid("lamp", "ann", 100));
  const Bidder* ann = log.state.findBidder("ann");
  ASSERT_NE(ann, nullptr);
  EXPECT_EQ(ann->id, 2u);
  EXPECT_EQ(ann->name, "ann");
  EXPECT_EQ(ann->credential, identity("ann").credential);
  EXPECT_EQ(&log.state.bidder(2), ann);
  EXPECT_THROW(log.state.bidder(0), std::out_of_range);
  EXPECT_THROW(log.state.bidder(3), std::out_of_range);
}

TEST(Bid, RegistersItsBidderAlsoWhenItFails) {
  Terms terms = plainTerms();
  terms.startingPrice = 50;
  Log log(terms);
  EXPECT_EQ(log.apply(bid("lamp", "below", 49)).kind, Kind::belowStart);
  EXPECT_NE(log.state.findBidder("below"), nullptr);
  log.apply(bid("lamp", "ann", 100));
  EXPECT_EQ(log.apply(bid("lamp", "low", 100)).kind, Kind::tooLow);
  EXPECT_NE(log.state.findBidder("low"), nullptr);
  EXPECT_EQ(log.apply(bid("vase", "nowhere", 100)).kind, Kind::noSuchAuction);
  EXPECT_NE(log.state.findBidder("nowhere"), nullptr);
  EXPECT_EQ(log.applyAt(2000, bid("lamp", "late", 200)).kind, Kind::closed);
  EXPECT_NE(log.state.findBidder("late"), nullptr);
  log.closeExpired(2000);
  EXPECT_TRUE(log.judge(bid("lamp", "later", 200)).log);
  EXPECT_EQ(log.apply(bid("lamp", "later", 200)).kind, Kind::closed);
  EXPECT_NE(log.state.findBidder("later"), nullptr);

  // The name stays bound: another credential is refused.
  const Judgement judgement = log.judge(Bid{"lamp", impostor("low"), 500});
  EXPECT_EQ(judgement.outcome.kind, Kind::notYours);
}

TEST(Bid, WithAnotherCredentialIsRefusedAndLeavesTheOwnerOfTheNameAlone) {
  Log log(plainTerms());
  log.apply(bid("lamp", "ann", 100));
  const Bid forged{"lamp", impostor("ann"), 500};
  const Judgement judgement = log.judge(forged);
  EXPECT_EQ(judgement.outcome.kind, Kind::notYours);
  EXPECT_FALSE(judgement.log);
  EXPECT_EQ(judgement.basis, log.state.lastIndex());

  EXPECT_EQ(log.apply(forged).kind, Kind::notYours);
  EXPECT_EQ(log.state.findBidder("ann")->credential, identity("ann").credential);
  EXPECT_EQ(log.auction().highest, 100);
  EXPECT_EQ(log.apply(bid("lamp", "ann", 110)).kind, Kind::success);
}

TEST(Bid, WithAnotherCredentialLearnsNothingOfTheAuction) {
  Log log(plainTerms());
  log.apply(bid("lamp", "ann", 100));
  EXPECT_EQ(log.judge(Bid{"vase", impostor("ann"), 500}).outcome.kind, Kind::notYours);
  log.closeExpired(2000);
  EXPECT_EQ(log.judge(Bid{"lamp", impostor("ann"), 500}).outcome.kind, Kind::notYours);
}

TEST(Bid, OnOneAuctionLeavesOthersAlone) {
  Log log(plainTerms());
  log.apply(create("vase"));
  log.apply(bid("lamp", "ann", 100));
  EXPECT_EQ(log.auction("vase").highest, 0);
  EXPECT_EQ(log.apply(bid("vase", "bob", 1)).kind, Kind::success);
  EXPECT_EQ(log.leader("lamp"), "ann");
  EXPECT_EQ(log.leader("vase"), "bob");
}

TEST(Bid, JudgedOnlyChangesNothing) {
  Log log(plainTerms());
  const auto before = log.state.hash();
  log.judge(bid("lamp", "ann", 100));
  log.judge(bid("vase", "ann", 100));
  EXPECT_EQ(log.state.hash(), before);
}

TEST(BrokenLog, IsRefusedWithoutAnyChange) {
  Log log(plainTerms());
  log.applyAt(1500, bid("lamp", "ann", 100));
  const auto before = log.state.hash();
  Entry entry = log.request(bid("lamp", "bob", 200), {log.session, 9, 0});

  Entry gap = entry;
  gap.index += 1;
  EXPECT_THROW(log.state.apply(gap), std::logic_error);
  Entry again = entry;
  again.index -= 1;
  EXPECT_THROW(log.state.apply(again), std::logic_error);
  Entry backwards = entry;
  backwards.stamp = 1499;
  EXPECT_THROW(log.state.apply(backwards), std::logic_error);
  EXPECT_EQ(log.state.hash(), before);
  EXPECT_EQ(log.state.apply(entry).kind, Kind::success) << "an equal stamp is fine";
}

}  // namespace
}  // namespace gavel::auction::test
