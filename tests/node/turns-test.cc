#include <algorithm>
#include <vector>

#include <gmock/gmock.h>

#include "tests/node/chain-fixture.h"

// However large the state, no turn does more than a bounded amount of work (R16).  The work is
// counted on a clock that advances with what is done, so a slow machine judges like a fast one.
namespace gavel::node {
namespace {

using Reason = schema::Outcome::Exception::Reason;

// At each look a millisecond has passed.
class SteppingClock final: public WorkClock {
public:
  std::int64_t now() const override { return time += 1'000'000; }

private:
  mutable std::int64_t time = 0;
};

constexpr std::int64_t HOUR = 3600'000'000'000;

class Turns: public ChainFixture {
protected:
  ~Turns() noexcept override = default;

  void startSlowChain(std::size_t count, Sync sync = Sync::atOnce) {
    head::Admission::Limits limits;
    limits.pace = pace;
    limits.sessionIdle = 1'000 * kj::HOURS;
    chain::Replica::Options options;
    options.pace = pace;
    startChain(count, sync, limits, options);
    client = connect(0);
  }

  // Their names are 0, 1, … , and all have one deadline.
  void createMany(unsigned count) {
    session = openSession(client);
    auto deadline = clock.wallNow + HOUR;
    kj::Vector<kj::Promise<void>> made;
    for (unsigned i = 0; i < count; ++i) {
      auto request = client.createRequest();
      request.initRequest().setSession(session);
      request.getRequest().setSequence(++sequence);
      request.getRequest().setLowestIncomplete(sequence > 5000 ? sequence - 5000 : 1);
      request.setAuction(kj::str(i));
      identify(request.initOwner(), "owner");
      request.initTerms().setDuration(deadline - clock.wallNow);
      made.add(request.send().then(
          [](auto&& response) { KJ_ASSERT(response.getOutcome().isSuccess(), response); }));
      if (made.size() == 1000 || i + 1 == count) {
        within(kj::joinPromises(made.releaseAsArray()), "auctions");
      }
    }
  }

  // Makes everything durable while the promise is kept.
  kj::Promise<void> sync() {
    for (auto& node: nodes) node->store.syncNow();
    return io.provider->getTimer().afterDelay(1 * kj::MILLISECONDS).then([this]() {
      return sync();
    });
  }

  // About one turn, at most two.
  void turn() { io.provider->getTimer().afterDelay(0 * kj::SECONDS).wait(io.waitScope); }

  void untilAllHaveApplied() {
    until("all to be applied", [&]() {
      auto last = replica(0).state().lastIndex();
      return std::all_of(nodes.begin(), nodes.end(), [&](auto& node) {
        return node->node.replica().state().lastIndex() == last;
      });
    });
  }

  std::size_t open(std::size_t node) {
    std::size_t count = 0;
    for (auto* auction: replica(node).state().listAuctions(0, SIZE_MAX)) {
      count += auction->phase == auction::Auction::Phase::open;
    }
    return count;
  }
  std::size_t inMemory(std::size_t node) {
    return replica(node).state().listAuctions(0, SIZE_MAX).size();
  }

  SteppingClock work;
  WorkPace pace{&work, 64};
  schema::NodeService::Client client = nullptr;
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;
};

// By this clock: the head closes 1,000 in 4 ms, the others apply 600 in 2 ms.
constexpr std::size_t MOST_CLOSED = 2 * 1000;
// Of what a checkpoint has stored: 16 between two looks.
constexpr std::size_t MOST_RELEASED = 2 * 100;

class TurnsWithMany: public Turns, public ::testing::WithParamInterface<unsigned> {
protected:
  ~TurnsWithMany() noexcept override = default;
};

// The bounds are the same for each number.
TEST_P(TurnsWithMany, DeadlinesAtOnceDoNotGrowWithTheirNumber) {
  startSlowChain(3);
  createMany(GetParam());
  untilAllHaveApplied();
  clock.advance(2 * HOUR);
  std::vector<std::size_t> left(3), memory(3), most(3), forgotten(3);
  for (unsigned i = 0; i < 3; ++i) {
    left[i] = open(i);
    memory[i] = inMemory(i);
  }
  for (unsigned turns = 0; turns < 200'000; ++turns) {
    turn();
    for (unsigned i = 0; i < 3; ++i) {
      auto now = open(i);
      ASSERT_LE(now, left[i]);
      most[i] = std::max(most[i], left[i] - now);
      left[i] = now;
      now = inMemory(i);
      ASSERT_LE(now, memory[i]);
      forgotten[i] = std::max(forgotten[i], memory[i] - now);
      memory[i] = now;
    }
    // In the end a checkpoint has few changes left, which is no reason for another one.
    if (left[0] + left[1] + left[2] == 0 && replica(0).state().uncaptured() < 8192) break;
  }
  EXPECT_THAT(left, ::testing::Each(0u)) << "not all were closed";
  EXPECT_THAT(most, ::testing::Each(::testing::Le(MOST_CLOSED)));
  EXPECT_THAT(forgotten, ::testing::Each(::testing::Le(MOST_RELEASED)));
  untilAllHaveApplied();
  EXPECT_EQ(replica(0).state().hash(), replica(2).state().hash());
}
INSTANTIATE_TEST_SUITE_P(, TurnsWithMany, ::testing::Values(3'000, 20'000));

TEST_F(Turns, BidsGoOnWhileAuctionsAreClosed) {
  startSlowChain(2);
  createMany(6'000);
  createAuction(client, session, ++sequence, "lamp", 10 * HOUR);
  clock.advance(2 * HOUR);
  auto onLamp = within(bid(client, session, ++sequence, 100), "a bid");
  EXPECT_TRUE(onLamp.getOutcome().isSuccess());
  auto left = open(0);
  EXPECT_GT(left, 3'000u) << "it waited until all were closed";

  // A bidder on a due auction finds it closed, even before its turn.
  auto late = within(bid(client, session, ++sequence, 100, "ann", "0123456789abcdef", "5999"),
                     "a late bid");
  ASSERT_TRUE(late.getOutcome().isException());
  EXPECT_EQ(late.getOutcome().getException().getReason(), Reason::CLOSED);
  auto* last = replica(0).state().findAuction("5999");
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(last->phase, auction::Auction::Phase::closed);
  EXPECT_EQ(replica(0).state().findAuction("5998")->phase, auction::Auction::Phase::open);
}

TEST_F(Turns, WhatIsDueIsOpenAndTakesNoBids) {
  startSlowChain(2);
  createMany(6'000);
  auto open = result(client, "5999");
  EXPECT_FALSE(open.getAnswer().getAuction().getState().getOpen().getDue());
  EXPECT_GT(open.getAnswer().getAuction().getState().getOpen().getNextValid(), 0);
  clock.advance(2 * HOUR);
  // The first entry that is stamped after the deadline closes it.
  until("the first to be closed", [&]() {
    return replica(1).state().findAuction("0") == nullptr ||
           replica(1).state().findAuction("0")->phase == auction::Auction::Phase::closed;
  });
  auto tail = connect(1);
  auto due = result(tail, "5999");
  ASSERT_TRUE(due.getAnswer().getAuction().getState().isOpen());
  EXPECT_TRUE(due.getAnswer().getAuction().getState().getOpen().getDue());
  EXPECT_EQ(due.getAnswer().getAuction().getState().getOpen().getNextValid(), 0);
  until("it to be closed",
        [&]() { return !result(tail, "5999").getAnswer().getAuction().getState().isOpen(); });
}

TEST_F(Turns, NewHeadJudgesOnceItHasAppliedItsLog) {
  startSlowChain(2, Sync::manual);
  auto syncing = sync().eagerlyEvaluate(nullptr);
  createMany(1);
  syncing = nullptr;
  // Nothing of this is committed, so the second node applies none of it.
  std::vector<capnp::RemotePromise<schema::Auctioneer::BidResults>> bids;
  for (unsigned i = 1; i <= 2'000; ++i) {
    bids.push_back(bid(client, session, ++sequence, i, "ann", "0123456789abcdef", "0"));
  }
  auto before = replica(1).state().lastIndex();
  until("all to be with the second",
        [&]() { return replica(1).logEnd().index >= before + bids.size(); });
  auto end = replica(1).logEnd().index;
  ASSERT_LT(replica(1).state().lastIndex() + 1'000, end);
  bids.clear();
  kill(0);
  relink({1});
  EXPECT_FALSE(replica(1).orders()) << "it has applied everything in one turn";
  EXPECT_LT(replica(1).state().lastIndex(), end);
  auto now = connect(1);
  // It is judged on all that the old head had ordered.
  auto low = within(bid(now, session, ++sequence, 2'000, "ann", "0123456789abcdef", "0"), "a bid");
  ASSERT_TRUE(low.getOutcome().isFail());
  EXPECT_EQ(low.getOutcome().getFail().getHighest(), 2'000);
  EXPECT_TRUE(replica(1).orders());
}

}  // namespace
}  // namespace gavel::node
