#include "tests/history/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/history/brute-force.h"
#include "tests/history/story.h"

// Histories by hand: right ones, and wrong ones of each kind that matters.  The verdict on a wrong
// one names the operations, in words.
namespace gavel::history::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Told = Outcome::Kind;

void expectGood(const Story& story) {
  EXPECT_EQ(story.problem(), "");
  EXPECT_TRUE(possible(story.history())) << "the test itself is wrong";
}

template <typename Matcher>
void expectBad(const Story& story, Matcher why) {
  EXPECT_THAT(story.problem(), why);
  EXPECT_FALSE(possible(story.history())) << "the test itself is wrong";
}

// ann at 100, then bob at 120, one after the other.
Story twoBids() {
  Story story;
  story.bid("ann", 100, {10, 20}, success(2)).accepted("ann", 100);
  story.bid("bob", 120, {30, 40}, success(3)).accepted("bob", 120);
  return story;
}

Story soldLamp() {
  auto story = twoBids();
  story.ask(Kind::close, "owner", {50, 60}, success(4)).soldTo("bob", 120);
  return story;
}

TEST(GoodHistory, OneThingAfterTheOther) {
  auto story = soldLamp();
  story.result({2, 3}, open(1)).result({21, 22}, open(2, 100, "ann"));
  story.bid("cid", 40, {4, 5}, belowStart()).bid("cid", 109, {23, 24}, tooLow(100));
  story.result({70, 80}, sold(4, 120, "bob")).bid("ann", 200, {70, 80}, closed());
  story.ask(Kind::cancel, "owner", {70, 80}, closed());
  story.ask(Kind::cancel, "ann", {70, 80}, told(Told::notYours));
  story.ask(Kind::create, "ann", {70, 80}, told(Told::alreadyExists));
  expectGood(story);
}

TEST(GoodHistory, OperationsAtTheSameTimeInAnyOrder) {
  Story story;
  // They are acknowledged in the other order.
  story.bid("ann", 100, {10, 40}, success(2)).accepted("ann", 100);
  story.bid("bob", 120, {10, 20}, success(3)).accepted("bob", 120);
  // The old and the new state are both right meanwhile.
  story.result({12, 15}, open(1)).result({11, 14}, open(2, 100, "ann"));
  story.bid("cid", 90, {11, 19}, tooLow(100));
  expectGood(story);
}

TEST(GoodHistory, NoSuchAuctionBeforeItWasCreated) {
  Story story;
  story.result({0, 1}, told(Told::noSuchAuction));
  story.bid("ann", 100, {0, 5}, told(Told::noSuchAuction));
  story.ask(Kind::close, "ann", {0, 5}, told(Told::noSuchAuction));
  expectGood(story);
}

TEST(GoodHistory, EndsByItselfAtItsDeadline) {
  auto story = twoBids();
  story.soldTo("bob", 120).atDeadline();
  story.bid("cid", 500, {41, 45}, closed()).result({46, 50}, sold(4, 120, "bob"));
  expectGood(story);
}

TEST(GoodHistory, UnknownThatTookEffectLate) {
  auto story = twoBids();
  story.bid("cid", 140, {5, 9}, unknown()).accepted("cid", 140);
  story.result({50, 60}, open(3, 120, "bob")).result({70, 80}, open(4, 140, "cid"));
  expectGood(story);
}

TEST(GoodHistory, UnknownThatTookEffectAfterAllElseOrNever) {
  auto story = twoBids();
  story.bid("cid", 140, {5, NEVER}, unknown());
  story.ask(Kind::close, "owner", {5, 9}, unknown());
  story.result({50, 60}, open(3, 120, "bob"));
  expectGood(story);
  story.accepted("cid", 140);
  expectGood(story);
}

TEST(GoodHistory, UnknownCreation) {
  auto story = twoBids();
  story.operations[0].outcome = unknown();
  expectGood(story);
  story.ask(Kind::create, "owner", {6, 7}, unknown());  // Its terms do not fit.
  expectGood(story);
}

TEST(GoodHistory, AskedAgainAndSettled) {
  History history;
  for (auto& operation: twoBids().operations) {
    auto told = operation;
    auto id = history.begin(operation);
    history.end(id, operation.invoked + 1, unknown());
    history.end(id, told.returned, told.outcome);
  }
  history.add(FinalHistory{"lamp", 1000, 1001, twoBids().versions});
  EXPECT_TRUE(check(history).linearizable()) << check(history).text();
  EXPECT_EQ(check(history).unknown, 0u);
}

TEST(GoodHistory, CertainlyNotAppliedMeansNothing) {
  auto story = twoBids();
  story.bid("cid", 150, {50, 60}, told(Told::notApplied)).result({50, 60}, unknown());
  expectGood(story);
}

TEST(GoodHistory, ImpostorsAreRefused) {
  auto story = twoBids();
  story.imposture("ann", 200, {50, 60}, told(Told::notYours));
  expectGood(story);
}

TEST(BadHistory, StaleRead) {
  auto story = twoBids();
  story.result({50, 60}, open(2, 100, "ann"));
  expectBad(story, AllOf(HasSubstr("OLD STATE: version 3"), HasSubstr("bid of 120 on lamp by bob"),
                         HasSubstr("open at version 2, 100 by ann"), HasSubstr("client 4")));
}

TEST(BadHistory, ReadFromBeforeAnAcknowledgedCreation) {
  auto story = twoBids();
  story.result({50, 60}, told(Told::noSuchAuction));
  expectBad(story, HasSubstr("OLD STATE"));
}

TEST(BadHistory, ReadsGoingBack) {
  Story story;
  story.bid("ann", 100, {10, 90}, success(2)).accepted("ann", 100);
  story.result({20, 30}, open(2, 100, "ann")).result({40, 50}, open(1));
  expectBad(story,
            AllOf(HasSubstr("OLD STATE: version 2"), HasSubstr("client 3"), HasSubstr("client 4")));
}

TEST(BadHistory, ReadOfTheFuture) {
  auto story = twoBids();
  story.result({21, 25}, open(3, 120, "bob"));
  expectBad(story, HasSubstr("version 3 was told or shown before version 3 was asked for"));
}

TEST(BadHistory, ReadThatIsAsOfAnotherIndex) {
  auto story = twoBids();
  story.result({21, 45}, open(2, 100, "ann"));
  story.operations.back().outcome.index = 30;
  expectBad(story, HasSubstr("is not one at which that version was the newest"));
}

TEST(BadHistory, LostBid) {
  auto story = twoBids();
  story.versions.pop_back();
  expectBad(story, AllOf(HasSubstr("LOST"), HasSubstr("bid of 120 on lamp by bob")));
}

TEST(BadHistory, LostBidWithAnotherInItsPlace) {
  auto story = twoBids();
  story.bid("cid", 125, {5, 9}, unknown());
  story.versions.pop_back();
  story.accepted("cid", 125);
  expectBad(story,
            AllOf(HasSubstr("LOST"), HasSubstr("120 on lamp by bob"), HasSubstr("125 by cid")));
}

TEST(BadHistory, BidThatIsThereTwice) {
  auto story = twoBids();
  story.accepted("bob", 120);
  expectBad(story, HasSubstr("does not beat the one before"));
}

TEST(BadHistory, BidThatIsThereAsAnotherVersion) {
  auto story = twoBids();
  story.operations.back().outcome = success(2);
  expectBad(story, HasSubstr("acknowledged as one version, and there as another"));
}

TEST(BadHistory, TwoBidsAcknowledgedAsOneVersion) {
  auto story = twoBids();
  story.bid("bob", 120, {50, 60}, success(3));
  expectBad(story, HasSubstr("two operations were acknowledged as the same version"));
}

TEST(BadHistory, AcknowledgementThatSaysAnotherStamp) {
  auto story = twoBids();
  ++story.operations.back().outcome.stamp;
  expectBad(story, HasSubstr("another index, stamp or deadline"));
}

TEST(BadHistory, VersionsAgainstRealTime) {
  Story story;
  story.bid("ann", 100, {30, 40}, success(2)).accepted("ann", 100);
  story.bid("bob", 120, {10, 20}, success(3)).accepted("bob", 120);
  expectBad(story, HasSubstr("version 3 was told or shown before version 2 was asked for"));
}

TEST(BadHistory, RefusalThatQuotesABidNeverAccepted) {
  auto story = twoBids();
  story.bid("cid", 105, {50, 60}, tooLow(110));
  expectBad(story, AllOf(HasSubstr("refused with a highest bid that was never accepted"),
                         HasSubstr("bid of 105 on lamp by cid")));
}

TEST(BadHistory, RefusalThatQuotesABidNotCurrentThen) {
  auto story = twoBids();
  story.bid("cid", 90, {50, 60}, tooLow(100));
  expectBad(story, HasSubstr("OLD STATE: version 3"));
  story = twoBids();
  story.bid("cid", 90, {21, 25}, tooLow(120));
  expectBad(story, HasSubstr("version 3 was told or shown before version 3 was asked for"));
}

TEST(BadHistory, RefusalOfABidThatIsHighEnough) {
  auto story = twoBids();
  story.bid("cid", 130, {50, 60}, tooLow(120));
  expectBad(story, HasSubstr("a next valid amount that is not, or that it reaches"));
  story = Story();
  story.bid("cid", 50, {50, 60}, belowStart());
  expectBad(story, HasSubstr("a starting price that is not this auction's, or that it reaches"));
}

TEST(BadHistory, RefusalThatQuotesAnotherNextAmount) {
  auto story = twoBids();
  story.bid("cid", 90, {50, 60}, tooLow(120));
  story.operations.back().outcome.nextValid = 131;
  expectBad(story, HasSubstr("a next valid amount that is not"));
}

TEST(BadHistory, BidAfterAnAnswerThatSaidThatTheAuctionWasDue) {
  auto story = twoBids();
  story.result({50, 60}, due(3, 120, "bob"));
  expectGood(story);
  story.bid("cid", 140, {70, 80}, success(4)).accepted("cid", 140);
  expectBad(story, HasSubstr("it was due, and yet something else came"));
}

TEST(BadHistory, NextAmountOfAnAuctionThatIsDue) {
  auto story = twoBids();
  story.result({50, 60}, due(3, 120, "bob"));
  story.operations.back().outcome.nextValid = 130;
  expectBad(story, HasSubstr("not what that version is"));
}

TEST(BadHistory, BelowStartAfterTheFirstBid) {
  auto story = twoBids();
  story.bid("cid", 40, {50, 60}, belowStart());
  expectBad(story, HasSubstr("OLD STATE"));
}

TEST(BadHistory, RefusedAndYetThere) {
  auto story = twoBids();
  story.bid("cid", 115, {50, 60}, tooLow(120)).bid("cid", 140, {50, 60}, told(Told::notApplied));
  story.accepted("cid", 140);
  expectBad(story, AllOf(HasSubstr("refused, and yet in the final history"), HasSubstr("140")));
}

TEST(BadHistory, NobodyAskedForIt) {
  auto story = twoBids();
  story.bid("cid", 141, {50, 60}, unknown()).bid("dan", 140, {50, 60}, unknown());
  story.accepted("cid", 140);
  expectBad(story, AllOf(HasSubstr("nobody asked for it"), HasSubstr("140 by cid")));
}

TEST(BadHistory, UnknownThatWasSeenAndIsGone) {
  auto story = twoBids();
  story.bid("cid", 140, {50, 60}, unknown()).result({70, 80}, open(4, 140, "cid"));
  expectBad(story, HasSubstr("it saw a version that is not in the final history"));
}

TEST(BadHistory, UnknownThatWasSeenAndIsAnotherNow) {
  auto story = twoBids();
  story.bid("cid", 140, {50, 60}, unknown()).result({70, 80}, open(4, 140, "cid"));
  story.bid("dan", 150, {90, 95}, success(4)).accepted("dan", 150);
  expectBad(story, HasSubstr("what it saw is not what that version is"));
}

TEST(BadHistory, UnknownThatTookEffectBeforeItWasAsked) {
  auto story = twoBids();
  story.bid("cid", 140, {70, NEVER}, unknown()).accepted("cid", 140);
  story.result({50, 60}, open(4, 140, "cid"));
  expectBad(story, HasSubstr("before version 4 was asked for"));
}

TEST(BadHistory, BidAcceptedAfterTheEnd) {
  auto story = soldLamp();
  story.bid("cid", 200, {70, 80}, success(5)).accepted("cid", 200);
  expectBad(story, HasSubstr("something was accepted after the end"));
}

TEST(BadHistory, BidAcceptedAfterTheDeadline) {
  auto story = twoBids();
  story.versions.back().stamp = story.operations.back().outcome.stamp = DEADLINE;
  expectBad(story, HasSubstr("a bid was accepted after the deadline"));
}

TEST(BadHistory, OverBeforeItWasClosed) {
  auto story = soldLamp();
  story.bid("cid", 200, {41, 45}, closed());
  expectBad(story, HasSubstr("version 4 was told or shown before version 4 was asked for"));
}

TEST(BadHistory, RefusedAsClosedAndNeverClosed) {
  auto story = twoBids();
  story.bid("cid", 200, {41, 45}, closed());
  expectBad(story, HasSubstr("though the auction never ended"));
}

TEST(BadHistory, OpenAfterTheEnd) {
  auto story = soldLamp();
  story.result({70, 80}, open(3, 120, "bob"));
  expectBad(story, HasSubstr("OLD STATE: version 4"));
  story = twoBids();
  story.soldTo("bob", 120).atDeadline();
  story.result({50, 60}, sold(4, 120, "bob")).result({70, 80}, open(3, 120, "bob"));
  expectBad(story, HasSubstr("OLD STATE: version 4"));
}

TEST(BadHistory, WinnerIsNotTheHighestBidder) {
  auto story = soldLamp();
  story.versions.back().who = "ann";
  story.versions.back().amount = 100;
  expectBad(story, HasSubstr("the winner is not the highest bidder"));
}

TEST(BadHistory, TwoWinners) {
  auto story = soldLamp();
  story.result({70, 80}, sold(4, 120, "bob")).result({70, 80}, sold(4, 120, "ann"));
  expectBad(story, AllOf(HasSubstr("what it saw is not"), HasSubstr("client 6")));
}

TEST(BadHistory, WinnerThatChanges) {
  auto story = soldLamp();
  story.result({70, 80}, sold(4, 120, "bob"));
  story.result({90, 95}, seen(Told::cancelled, 4));
  expectBad(story, AllOf(HasSubstr("what it saw is not"), HasSubstr("cancelled at version 4")));
}

TEST(BadHistory, SoldBelowTheReserve) {
  auto story = soldLamp();
  story.operations[0].terms.reserve = 121;
  expectBad(story, HasSubstr("the winner is not the highest bidder"));
}

TEST(BadHistory, EndedBySomebodyElse) {
  auto story = twoBids();
  story.ask(Kind::close, "ann", {50, 60}, success(4)).soldTo("bob", 120);
  expectBad(story, HasSubstr("ended by somebody else than its owner"));
  story.operations.back().outcome = unknown();
  expectBad(story, HasSubstr("nobody asked for it"));
}

TEST(BadHistory, EndedEarlyWithoutAnybodyAsking) {
  auto story = twoBids();
  story.soldTo("bob", 120);
  expectBad(story, HasSubstr("nobody asked for it"));
  story = twoBids();
  story.ask(Kind::close, "owner", {50, 60}, unknown()).cancelled("owner");
  expectBad(story, HasSubstr("nobody asked for it"));
}

TEST(BadHistory, ImpostorIsAccepted) {
  auto story = twoBids();
  story.imposture("ann", 140, {50, 60}, success(4)).accepted("ann", 140);
  expectBad(story, HasSubstr("accepted with a credential that is not the name's"));
  story = twoBids();
  story.imposture("ann", 90, {50, 60}, tooLow(120));
  expectBad(story, HasSubstr("was not refused"));
}

TEST(BadHistory, OwnerOrBidderIsTakenForAnImpostor) {
  auto story = twoBids();
  story.bid("ann", 200, {50, 60}, told(Told::notYours));
  expectBad(story, HasSubstr("though the credential is the name's"));
  story = twoBids();
  story.ask(Kind::close, "owner", {50, 60}, told(Told::notYours));
  expectBad(story, HasSubstr("the owner was refused as somebody else"));
}

TEST(BadHistory, GapInTheVersions) {
  auto story = twoBids();
  story.versions.erase(story.versions.begin() + 1);
  expectBad(story, HasSubstr("stands where version 2 belongs"));
}

TEST(BadHistory, StampGoingBack) {
  auto story = twoBids();
  story.versions.back().stamp = story.operations.back().outcome.stamp = 999;
  expectBad(story, HasSubstr("goes back in the final history"));
}

TEST(BadHistory, DeadlineThatMovesByItself) {
  auto story = twoBids();
  story.versions.back().deadline = ++story.operations.back().outcome.deadline;
  expectBad(story, HasSubstr("the deadline is not what it should be"));
}

TEST(BadHistory, ToldWhatNoCorrectClientIsTold) {
  auto story = twoBids();
  story.bid("cid", 140, {50, 60}, told(Told::unexpected));
  expectBad(story, HasSubstr("no correct client is told this"));
}

// Without a final history, or with an early one, no verdict is possible.
TEST(BadHistory, FinalHistoryIsMissingTwiceOrTooEarly) {
  auto complete = twoBids().history();
  History none;
  for (auto& operation: complete.operations()) none.add(operation);
  EXPECT_THAT(check(none).text(), HasSubstr("final history was not recorded"));
  auto twice = complete;
  twice.add(complete.finals()[0]);
  EXPECT_THAT(check(twice).text(), HasSubstr("more than one final history"));
  auto early = none;
  early.add(FinalHistory{"lamp", 40, 41, twoBids().versions});
  EXPECT_THAT(check(early).text(), HasSubstr("read before this ended"));
}

// Two auctions on one log.  The only version of the other one has this index and stamp.
History withAnother(const Story& story, During during, std::uint64_t index, std::int64_t stamp) {
  auto history = story.history();
  auto create = story.operations[0];
  create.auction = "vase";
  create.invoked = during.from;
  create.returned = during.to;
  create.outcome.index = index;
  create.outcome.stamp = stamp;
  create.outcome.deadline = stamp + DURATION;
  history.add(create);
  history.add(
      FinalHistory{"vase",
                   10'000,
                   10'001,
                   {{1, Version::Kind::created, "owner", 0, index, stamp, stamp + DURATION}}});
  return history;
}

TEST(Log, IsOneForAllAuctions) {
  auto good = withAnother(twoBids(), {22, 28}, 25, 1002);
  EXPECT_TRUE(check(good).linearizable()) << check(good).text();
  EXPECT_TRUE(possible(good));
  struct Bad {
    History history;
    const char* why;
  };
  for (auto& bad: {Bad{withAnother(twoBids(), {22, 28}, 20, 1002), "share a log index"},
                   Bad{withAnother(twoBids(), {22, 28}, 25, 1001), "stamps go back in the log"},
                   Bad{withAnother(twoBids(), {22, 28}, 25, 1004), "stamps go back in the log"},
                   Bad{withAnother(twoBids(), {22, 28}, 15, 1001), "in the order of the log"},
                   Bad{withAnother(twoBids(), {22, 28}, 35, 1003), "in the order of the log"}}) {
    EXPECT_THAT(check(bad.history).text(), HasSubstr(bad.why));
    EXPECT_FALSE(possible(bad.history));
  }
}

TEST(Log, OrdersAnswersOnSeveralAuctions) {
  // Version 3 of the lamp was shown.  An answer from before it is too late, on any auction.
  auto history = withAnother(twoBids(), {22, 28}, 25, 1002);
  Operation result;
  result.auction = "vase";
  result.invoked = 50;
  result.returned = 60;
  result.outcome = open(1);
  result.outcome.deadline = 1002 + DURATION;
  result.outcome.index = 30;
  auto good = history;
  good.add(result);
  EXPECT_TRUE(check(good).linearizable()) << check(good).text();
  EXPECT_TRUE(possible(good));
  result.outcome.index = 29;
  history.add(result);
  EXPECT_THAT(check(history).text(), HasSubstr("in the order of the log"));
  EXPECT_FALSE(possible(history));
}

}  // namespace
}  // namespace gavel::history::test
