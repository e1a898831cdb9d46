#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/auction/log.h"

// Creating, closing, cancelling and expiring auctions.
namespace gavel::auction::test {
namespace {

using Phase = Auction::Phase;

CloseAuction close(std::string_view auction, std::string_view owner = "owner") {
  return {auction, identity(owner)};
}
CancelAuction cancel(std::string_view auction, std::string_view owner = "owner") {
  return {auction, identity(owner)};
}

TEST(Create, MakesAnOpenAuctionWithItsTerms) {
  Log log;
  Terms terms = plainTerms(500);
  terms.item = "a lamp\n\tof brass";
  terms.startingPrice = 7;
  terms.reserve = 70;
  terms.increment = {Increment::Kind::percent, 250};
  terms.softClose = {10, 20, 600};
  const Outcome outcome = log.applyAt(3000, create("lamp", terms));
  EXPECT_EQ(outcome.kind, Kind::success);
  EXPECT_EQ(outcome.version, 1u);
  EXPECT_EQ(outcome.deadline, 3500);
  EXPECT_EQ(outcome.index, log.state.lastIndex());

  const Auction& auction = log.auction();
  EXPECT_EQ(auction.id, outcome.index);
  EXPECT_EQ(auction.name, "lamp");
  EXPECT_EQ(auction.item, terms.item);
  EXPECT_EQ(auction.owner, log.state.findBidder("owner")->id);
  EXPECT_EQ(auction.created, 3000);
  EXPECT_EQ(auction.deadline, 3500);
  EXPECT_EQ(auction.hardEnd, 3600);
  EXPECT_EQ(auction.startingPrice, 7);
  EXPECT_EQ(auction.reserve, 70);
  EXPECT_EQ(auction.increment.kind, Increment::Kind::percent);
  EXPECT_EQ(auction.increment.value, 250);
  EXPECT_EQ(auction.softCloseWindow, 10);
  EXPECT_EQ(auction.softCloseExtension, 20);
  EXPECT_EQ(auction.phase, Phase::open);
  ASSERT_EQ(auction.version(), 1u);
  EXPECT_EQ(auction.history[0].kind, Version::Kind::created);
  EXPECT_EQ(auction.history[0].bidder, auction.owner);
  ASSERT_EQ(log.events.size(), 1u);
  EXPECT_EQ(log.events[0].version, 1u);
}

TEST(Create, ChecksEachTermAtItsBounds) {
  Log log;
  int made = 0;
  const auto argument = [&](auto change) {
    Terms terms = plainTerms();
    change(terms);
    const std::string name = "auction " + std::to_string(++made);
    const Judgement judgement = log.judge(create(name, terms));
    const bool valid = judgement.outcome.argument == Argument::none;
    EXPECT_EQ(judgement.outcome.kind, valid ? Kind::success : Kind::invalidArgument);
    EXPECT_EQ(judgement.log, valid);
    EXPECT_EQ(log.apply(create(name, terms)).kind, judgement.outcome.kind);
    EXPECT_EQ(log.state.findAuction(name) != nullptr, valid);
    return judgement.outcome.argument;
  };
  const std::string longest(MAX_ITEM_BYTES, 'i');
  const std::string tooLong(MAX_ITEM_BYTES + 1, 'i');
  EXPECT_EQ(argument([&](Terms& t) { t.item = longest; }), Argument::none);
  EXPECT_EQ(argument([&](Terms& t) { t.item = tooLong; }), Argument::item);
  EXPECT_EQ(argument([](Terms& t) { t.item = ""; }), Argument::none);
  EXPECT_EQ(argument([](Terms& t) { t.item = "\x01"; }), Argument::item);

  EXPECT_EQ(argument([](Terms& t) { t.duration = 0; }), Argument::duration);
  EXPECT_EQ(argument([](Terms& t) { t.duration = -1; }), Argument::duration);
  EXPECT_EQ(argument([](Terms& t) { t.duration = 1; }), Argument::none);
  EXPECT_EQ(argument([](Terms& t) { t.duration = MAX_DURATION; }), Argument::none);
  EXPECT_EQ(argument([](Terms& t) { t.duration = MAX_DURATION + 1; }), Argument::duration);

  EXPECT_EQ(argument([](Terms& t) { t.startingPrice = -1; }), Argument::startingPrice);
  EXPECT_EQ(argument([](Terms& t) { t.reserve = -1; }), Argument::reserve);
  EXPECT_EQ(argument([](Terms& t) { t.startingPrice = std::numeric_limits<Amount>::max(); }),
            Argument::none);

  using Increments = Increment::Kind;
  const auto increment = [&](Increments kind, std::int64_t value) {
    return argument([&](Terms& t) { t.increment = {kind, value}; });
  };
  EXPECT_EQ(increment(Increments::absolute, 0), Argument::increment);
  EXPECT_EQ(increment(Increments::absolute, -1), Argument::increment);
  EXPECT_EQ(increment(Increments::absolute, 1), Argument::none);
  EXPECT_EQ(increment(Increments::percent, 0), Argument::increment);
  EXPECT_EQ(increment(Increments::percent, 1), Argument::none);
  EXPECT_EQ(increment(Increments::percent, MAX_INCREMENT_PERCENT), Argument::none);
  EXPECT_EQ(increment(Increments::percent, MAX_INCREMENT_PERCENT + 1), Argument::increment);
  EXPECT_EQ(increment(Increments{2}, 1), Argument::increment);

  const auto soft = [&](Nanoseconds window, Nanoseconds extension, Nanoseconds hardEnd) {
    return argument([&](Terms& t) { t.softClose = {window, extension, hardEnd}; });
  };
  EXPECT_EQ(soft(1, 1, 1000), Argument::none);
  EXPECT_EQ(soft(1, 1, 999), Argument::softClose) << "hard end before the deadline";
  EXPECT_EQ(soft(1, 0, 1000), Argument::softClose);
  EXPECT_EQ(soft(0, 1, 1000), Argument::softClose);
  EXPECT_EQ(soft(1, 1, 0), Argument::softClose);
  EXPECT_EQ(soft(0, 0, 1000), Argument::softClose);
  EXPECT_EQ(soft(-1, 1, 1000), Argument::softClose);
  EXPECT_EQ(soft(1, -1, 1000), Argument::softClose);
  EXPECT_EQ(soft(1, 1, -1), Argument::softClose);
  EXPECT_EQ(soft(MAX_DURATION, MAX_DURATION, MAX_DURATION), Argument::none);
  EXPECT_EQ(soft(MAX_DURATION + 1, 1, 1000), Argument::softClose);
  EXPECT_EQ(soft(1, MAX_DURATION + 1, 1000), Argument::softClose);
  EXPECT_EQ(soft(1, 1, MAX_DURATION + 1), Argument::softClose);
}

TEST(Create, RegistersItsOwner) {
  Log log;
  log.apply(create("lamp"));
  ASSERT_NE(log.state.findBidder("owner"), nullptr);
  const Judgement forged = log.judge(CreateAuction{"vase", impostor("owner"), plainTerms()});
  EXPECT_EQ(forged.outcome.kind, Kind::notYours);
  EXPECT_FALSE(forged.log);
  EXPECT_EQ(forged.basis, log.state.lastIndex());
  EXPECT_EQ(log.judge(Bid{"lamp", impostor("owner"), 1}).outcome.kind, Kind::notYours);
}

TEST(Create, FailsUnderANameThatExistsOrExisted) {
  Log log(plainTerms());
  for (const Phase phase: {Phase::open, Phase::closed}) {
    ASSERT_EQ(log.auction().phase, phase);
    const Judgement judgement = log.judge(create("lamp"));
    EXPECT_EQ(judgement.outcome.kind, Kind::alreadyExists);
    EXPECT_FALSE(judgement.log);
    EXPECT_EQ(judgement.basis, log.state.lastIndex());
    log.closeExpired(2000);
  }
  EXPECT_EQ(log.apply(create("lamp")).kind, Kind::alreadyExists);
  EXPECT_EQ(log.state.auctionCount(), 1u);
  log.apply(create("vase"));
  log.apply(cancel("vase"));
  EXPECT_EQ(log.apply(create("vase")).kind, Kind::alreadyExists);
}

TEST(Create, RegistersAnUnknownOwnerAlsoUnderANameThatExists) {
  Log log(plainTerms());
  const CreateAuction again{"lamp", identity("newcomer"), plainTerms()};
  EXPECT_TRUE(log.judge(again).log);
  EXPECT_EQ(log.apply(again).kind, Kind::alreadyExists);
  EXPECT_NE(log.state.findBidder("newcomer"), nullptr);
  EXPECT_FALSE(log.judge(again).log);
}

TEST(Close, MakesTheHighestBidTheWinner) {
  Log log(plainTerms());
  log.apply(bid("lamp", "ann", 100));
  log.apply(bid("lamp", "bob", 200));
  const Outcome outcome = log.applyAt(1500, close("lamp"));
  EXPECT_EQ(outcome.kind, Kind::success);
  EXPECT_EQ(outcome.version, 4u);
  EXPECT_EQ(outcome.deadline, 2000);
  EXPECT_EQ(log.auction().phase, Phase::closed);
  EXPECT_TRUE(log.auction().sold());
  EXPECT_EQ(log.auction().nextValid(), 0);
  const Version& last = log.auction().history.back();
  EXPECT_EQ(last.kind, Version::Kind::closed);
  EXPECT_EQ(last.stamp, 1500);
  EXPECT_EQ(last.bidder, log.state.findBidder("bob")->id);
  EXPECT_EQ(last.amount, 200);
  EXPECT_EQ(log.apply(bid("lamp", "ann", 300)).kind, Kind::closed);
  EXPECT_EQ(log.state.nextDeadline(), std::nullopt);
}

TEST(Cancel, EndsWithoutAWinner) {
  Log log(plainTerms());
  log.apply(bid("lamp", "ann", 100));
  const Outcome outcome = log.applyAt(1500, cancel("lamp"));
  EXPECT_EQ(outcome.kind, Kind::success);
  EXPECT_EQ(outcome.version, 3u);
  EXPECT_EQ(log.auction().phase, Phase::cancelled);
  EXPECT_FALSE(log.auction().sold());
  const Version& last = log.auction().history.back();
  EXPECT_EQ(last.kind, Version::Kind::cancelled);
  EXPECT_EQ(last.bidder, log.auction().owner);
  EXPECT_EQ(last.amount, 0);
  EXPECT_EQ(log.apply(bid("lamp", "bob", 300)).kind, Kind::closed);
  log.closeExpired(2000);
  EXPECT_EQ(log.auction().phase, Phase::cancelled);
  EXPECT_EQ(log.auction().version(), 3u);
}

// The refusals that close and cancel share.
void expectRefusals(Command (*end)(std::string_view, const Identity&)) {
  Log log(plainTerms());
  log.apply(bid("lamp", "ann", 100));
  const std::size_t bidders = log.state.bidderCount();
  const auto expectNotYours = [&](const Identity& asker) {
    const Judgement judgement = log.judge(end("lamp", asker));
    EXPECT_EQ(judgement.outcome.kind, Kind::notYours) << asker.name;
    EXPECT_FALSE(judgement.log);
    EXPECT_EQ(judgement.basis, log.state.lastIndex());
    EXPECT_EQ(log.apply(end("lamp", asker)).kind, Kind::notYours);
  };
  expectNotYours(identity("ann"));
  expectNotYours(impostor("owner"));
  expectNotYours(identity("unknown"));
  Identity borrowed = identity("owner");
  borrowed.name = "ann";
  expectNotYours(borrowed);
  EXPECT_EQ(log.auction().phase, Phase::open);

  const Judgement missing = log.judge(end("vase", identity("unknown")));
  EXPECT_EQ(missing.outcome.kind, Kind::noSuchAuction);
  EXPECT_TRUE(missing.log);
  EXPECT_EQ(log.apply(end("vase", identity("unknown"))).kind, Kind::noSuchAuction);
  EXPECT_EQ(log.state.bidderCount(), bidders) << "nobody is registered";

  log.now = 1999;
  EXPECT_EQ(log.judge(end("lamp", identity("owner"))).outcome.kind, Kind::success);
  log.now = 2000;
  const Judgement late = log.judge(end("lamp", identity("owner")));
  EXPECT_EQ(late.outcome.kind, Kind::closed);
  EXPECT_TRUE(late.log);
  EXPECT_EQ(log.apply(end("lamp", identity("owner"))).kind, Kind::closed);
  EXPECT_EQ(log.auction().phase, Phase::open) << "only a CloseExpired ends it now";

  log.closeExpired(2000);
  const Judgement over = log.judge(end("lamp", identity("owner")));
  EXPECT_EQ(over.outcome.kind, Kind::closed);
  EXPECT_FALSE(over.log);
  expectNotYours(identity("ann"));
}

TEST(Close, IsRefusedExceptToTheOwnerWhileOpen) {
  expectRefusals([](std::string_view auction, const Identity& asker) -> Command {
    return CloseAuction{auction, asker};
  });
}

TEST(Cancel, IsRefusedExceptToTheOwnerWhileOpen) {
  expectRefusals([](std::string_view auction, const Identity& asker) -> Command {
    return CancelAuction{auction, asker};
  });
}

TEST(Reserve, IsMetExactlyAndMissedByOne) {
  for (const Amount highest: {99, 100, 101}) {
    Terms terms = plainTerms();
    terms.reserve = 100;
    Log log(terms);
    EXPECT_EQ(log.apply(bid("lamp", "ann", highest)).kind, Kind::success);
    EXPECT_FALSE(log.auction().sold()) << "still open";
    log.closeExpired(2000);
    const bool sold = highest >= 100;
    EXPECT_EQ(log.auction().sold(), sold) << highest;
    EXPECT_EQ(log.auction().history.back().amount, sold ? highest : 0);
    EXPECT_EQ(log.auction().history.back().bidder, sold ? log.auction().highestBidder : 0);
  }
}

TEST(CloseExpired, SellsNothingWithoutABid) {
  Log log(plainTerms());
  log.closeExpired(2000);
  EXPECT_EQ(log.auction().phase, Phase::closed);
  EXPECT_FALSE(log.auction().sold());
  EXPECT_EQ(log.auction().history.back().kind, Version::Kind::closed);
  EXPECT_EQ(log.auction().history.back().bidder, 0u);
  EXPECT_EQ(log.auction().history.back().amount, 0);
}

TEST(CloseExpired, ClosesAtTheDeadlineAndNotOneBefore) {
  Log log(plainTerms());
  EXPECT_EQ(log.state.nextDeadline(), 2000);
  EXPECT_FALSE(log.state.expired(1999));
  EXPECT_EQ(log.closeExpired(1999).kind, Kind::success);
  EXPECT_EQ(log.auction().phase, Phase::open);
  EXPECT_TRUE(log.state.expired(2000));
  EXPECT_EQ(log.closeExpired(2000).kind, Kind::success);
  EXPECT_EQ(log.auction().phase, Phase::closed);
  EXPECT_FALSE(log.state.expired(5000));
  log.closeExpired(2001);
  EXPECT_EQ(log.auction().version(), 2u) << "closed once";
}

TEST(CloseExpired, ClosesInOrderOfDeadlineThenCreation) {
  Log log;
  const auto made = [&](const char* name, Nanoseconds duration) {
    return log.apply(create(name, plainTerms(duration))).index;
  };
  const AuctionId late = made("late", 300);
  const AuctionId tiedFirst = made("tied first", 200);
  const AuctionId early = made("early", 100);
  const AuctionId tiedSecond = made("tied second", 200);
  made("open", 301);
  log.events.clear();
  log.closeExpired(1300);

  std::vector<AuctionId> order;
  for (const Event& event: log.events) {
    order.push_back(event.auction->id);
    EXPECT_EQ(event.version, 2u);
  }
  EXPECT_EQ(order, (std::vector<AuctionId>{early, tiedFirst, tiedSecond, late}));
  EXPECT_EQ(log.auction("open").phase, Phase::open);
  EXPECT_EQ(log.state.nextDeadline(), 1301);
}

TEST(CloseExpired, WithALimitClosesTheFirstThatManyAndLeavesTheOthersOpen) {
  Log log;
  for (const char* name: {"c", "b", "a"}) log.apply(create(name, plainTerms(200)));
  log.apply(create("first", plainTerms(100)));
  log.now = 1500;
  log.apply(log.proposal(CloseExpired{2}));
  EXPECT_EQ(log.auction("first").phase, Phase::closed) << "it was due before the others";
  EXPECT_EQ(log.auction("c").phase, Phase::closed) << "made before those with the same deadline";
  EXPECT_EQ(log.auction("b").phase, Phase::open);
  EXPECT_TRUE(log.auction("b").due(1500));
  EXPECT_EQ(log.state.nextDeadline(), 1200);
  log.apply(log.proposal(CloseExpired{1}));
  EXPECT_EQ(log.auction("b").phase, Phase::closed);
  log.apply(log.proposal(CloseExpired{}));
  EXPECT_EQ(log.auction("a").phase, Phase::closed);
}

TEST(CloseExpired, RefusesALimitThatWouldTakeLong) {
  Log log(plainTerms());
  log.now = 2000;
  const Outcome outcome = log.apply(log.proposal(CloseExpired{MOST_ENDED + 1}));
  EXPECT_EQ(outcome.kind, Kind::invalidArgument);
  EXPECT_EQ(log.auction().phase, Phase::open);
}

TEST(CloseDue, ClosesThisOneThoughOthersAreDueBefore) {
  Log log;
  log.apply(create("before", plainTerms(100)));
  log.apply(create("lamp", plainTerms(200)));
  log.apply(bid("lamp", "ann", 100));
  log.now = 1200;
  log.apply(log.proposal(CloseDue{"lamp"}));
  EXPECT_TRUE(log.auction("lamp").sold());
  EXPECT_EQ(log.auction("before").phase, Phase::open);
  const Judgement late = log.judge(bid("lamp", "bob", 500));
  EXPECT_EQ(late.outcome.kind, Kind::closed);
}

TEST(CloseDue, ChangesNothingWhereNothingIsDue) {
  Log log(plainTerms());
  log.now = 1999;
  EXPECT_EQ(log.apply(log.proposal(CloseDue{"lamp"})).kind, Kind::success);
  EXPECT_EQ(log.apply(log.proposal(CloseDue{"no such"})).kind, Kind::success);
  EXPECT_EQ(log.auction().phase, Phase::open);
  log.now = 2000;
  log.apply(log.proposal(CloseDue{"lamp"}));
  log.apply(log.proposal(CloseDue{"lamp"}));
  EXPECT_EQ(log.auction().version(), 2u) << "closed once";
}

TEST(Due, IsWhatARequestAsksOfAndTheDeadlineHasPassedFor) {
  Log log;
  log.apply(create("lamp", plainTerms(100)));
  log.apply(create("vase", plainTerms(200)));
  EXPECT_EQ(log.state.due(bid("lamp", "ann", 1), 1099), "");
  EXPECT_EQ(log.state.due(bid("lamp", "ann", 1), 1100), "lamp");
  EXPECT_EQ(log.state.due(CloseAuction{"lamp", identity("owner")}, 1100), "lamp");
  EXPECT_EQ(log.state.due(CancelAuction{"lamp", identity("owner")}, 1100), "lamp");
  EXPECT_EQ(log.state.due(bid("vase", "ann", 1), 1100), "");
  EXPECT_EQ(log.state.due(bid("no such", "ann", 1), 1100), "");
  EXPECT_EQ(log.state.due(create("lamp"), 1100), "") << "it asks nothing of the auction";
  log.closeExpired(1100);
  EXPECT_EQ(log.state.due(bid("lamp", "ann", 1), 1100), "");
}

TEST(ListAuctions, PagesInOrderOfCreation) {
  Log log;
  for (const char* name: {"c", "a", "b"}) log.apply(create(name));
  const auto names = [&](AuctionId after, std::size_t limit) {
    std::string names;
    for (const Auction* auction: log.state.listAuctions(after, limit)) names += auction->name;
    return names;
  };
  EXPECT_EQ(log.state.auctionCount(), 3u);
  EXPECT_EQ(names(0, 10), "cab");
  EXPECT_EQ(names(0, 2), "ca");
  EXPECT_EQ(names(log.auction("c").id, 10), "ab");
  EXPECT_EQ(names(log.auction("b").id, 10), "");
  EXPECT_EQ(names(0, 0), "");
}

}  // namespace
}  // namespace gavel::auction::test
