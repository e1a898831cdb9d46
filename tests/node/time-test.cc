#include <gmock/gmock.h>

#include "tests/node/chain-fixture.h"

// Chain time as clients and operators of a chain see it (R15).
namespace gavel::node {
namespace {

using ::testing::HasSubstr;
using Reason = schema::Outcome::Exception::Reason;

constexpr std::int64_t SECOND = 1'000'000'000;
constexpr std::int64_t HOUR = 3600 * SECOND;
constexpr std::int64_t DAY = 24 * HOUR;

class TimeTest: public ChainFixture {
protected:
  ~TimeTest() noexcept override = default;

  schema::NodeService::Client client = nullptr;
  std::uint64_t session = 0;

  void begin(std::size_t count) {
    startChain(count);
    client = connect(0);
    session = openSession(client);
  }

  // Adds a node whose clock is off by that, and lets it lead alone.
  void nextHead(std::int64_t off) {
    clock.wallNow += off;
    nodes.push_back(
        kj::heap<TestNode>(io, clock, random, "next", Sync::atOnce, head::Admission::Limits{}));
    auto last = nodes.size() - 1;
    relink({0, last});
    until("the log to be copied",
          [&]() { return replica(last).commit() == replica(0).logEnd().index; });
    relink({last});
    client = connect(last);
  }

  template <typename Read>
  auto status(std::size_t i, Read read) {
    capnp::MallocMessageBuilder message;
    auto builder = message.initRoot<schema::NodeStatus>();
    nodes[i]->node.writeStatus(builder, false);
    return read(builder.asReader());
  }
  std::int64_t aheadOf(std::size_t i) {
    return status(i, [](auto told) { return told.getChainTime() - told.getWallClock(); });
  }
  std::int64_t leapOf(std::size_t i) {
    return status(i, [](auto told) { return told.getLeap(); });
  }
  bool isOpen(kj::StringPtr auction) {
    return result(client, auction).getAnswer().getAuction().getState().isOpen();
  }
};

TEST_F(TimeTest, AuctionEndsInTimeWhereChainTimeIsAheadOfAllClocks) {
  clock.wallNow += 400 * DAY;
  begin(1);
  nextHead(-400 * DAY);
  createAuction(client, session, 1, "brief", 10 * SECOND);
  EXPECT_NEAR(aheadOf(1) / SECOND, 400 * DAY / SECOND, 1);
  auto view = [&]() { return result(client, "brief"); };
  auto left = [](auto&& response) {
    auto auction = response.getAnswer().getAuction();
    return auction.getDeadline() - auction.getNow();
  };
  EXPECT_LE(left(view()), 10 * SECOND);
  clock.advance(9 * SECOND);
  EXPECT_LE(left(view()), SECOND);
  settle();
  EXPECT_TRUE(isOpen("brief"));
  clock.advance(SECOND);
  until("the auction to end", [&]() { return !isOpen("brief"); });
}

TEST_F(TimeTest, ClockAndChainTimeAreToldApart) {
  clock.wallNow += 400 * DAY;
  begin(1);
  EXPECT_LE(aheadOf(0), SECOND);
  nextHead(-400 * DAY);
  EXPECT_EQ(status(1, [](auto told) { return told.getWallClock(); }), clock.wall());
  EXPECT_NEAR(aheadOf(1) / SECOND, 400 * DAY / SECOND, 1);
}

TEST_F(TimeTest, HeadDoesNotBelieveAClockThatIsFarAhead) {
  begin(1);
  createAuction(client, session, 1, "lamp", 30 * DAY);
  nextHead(400 * DAY);
  auto refused = within(bid(client, session, 2, 100), "a bid");
  ASSERT_TRUE(refused.getOutcome().isException());
  EXPECT_EQ(refused.getOutcome().getException().getReason(), Reason::UNAVAILABLE);
  EXPECT_THAT(refused.getOutcome().getException().getDetail().cStr(), HasSubstr("chain clock"));
  EXPECT_NEAR(leapOf(1) / SECOND, 400 * DAY / SECOND, 1);
  EXPECT_TRUE(isOpen("lamp")) << "nothing was closed";
  auto end = replica(1).logEnd().index;
  clock.wallNow -= 400 * DAY;  // Its clock was set right.
  EXPECT_TRUE(within(bid(client, session, 2, 100), "a bid").getOutcome().isSuccess());
  EXPECT_EQ(replica(1).logEnd().index, end + 1);
  EXPECT_EQ(leapOf(1), 0);
  EXPECT_LE(aheadOf(1), SECOND);
}

TEST_F(TimeTest, OperatorAcceptsAClock) {
  begin(1);
  createAuction(client, session, 1, "lamp", 2 * DAY);
  auto accept = [&](std::size_t i, std::int64_t limit) {
    return within(nodes[i]->node.admission().acceptClock(limit), "an order");
  };
  EXPECT_THAT(accept(0, clock.wall()), HasSubstr("nothing to accept"));
  nextHead(8 * DAY);  // Nothing ran for so long, for example.
  EXPECT_THAT(accept(1, clock.wall() - SECOND), HasSubstr("look again"));
  EXPECT_GT(leapOf(1), 0);
  EXPECT_EQ(accept(1, clock.wall()), "");
  EXPECT_EQ(leapOf(1), 0);
  until("what is due to end", [&]() { return !isOpen("lamp"); });
  // The session was not used for eight days, but nobody could use it.
  createAuction(client, session, 2, "vase", DAY);
  // It is in the log: the next head has it.
  clock.wallNow -= 8 * DAY;
  nodes.push_back(
      kj::heap<TestNode>(io, clock, random, "third", Sync::atOnce, head::Admission::Limits{}));
  relink({1, 2});
  until("the log to be copied", [&]() { return replica(2).commit() == replica(1).logEnd().index; });
  relink({2});
  client = connect(2);
  EXPECT_TRUE(within(bid(client, session, 3, 5, "ann", "0123456789abcdef", "vase"), "a bid")
                  .getOutcome()
                  .isSuccess());
  EXPECT_NEAR(aheadOf(2) / SECOND, 8 * DAY / SECOND, 1);
}

TEST_F(TimeTest, SessionsLiveOnForAnIdlePeriodAfterALeap) {
  begin(1);
  createAuction(client, session, 1, "lamp", 30 * DAY);
  clock.advance(2 * SECOND);
  nextHead(3 * HOUR);  // As if nothing had run for so long.
  clock.advance(HOUR - SECOND);
  auto other = openSession(client);
  EXPECT_TRUE(within(bid(client, session, 2, 100), "a bid").getOutcome().isSuccess());
  clock.advance(HOUR + SECOND);
  openSession(client);  // Any call makes the head look at its clock.
  auto late = within(bid(client, other, 1, 200), "a bid");
  ASSERT_TRUE(late.getOutcome().isException());
  EXPECT_EQ(late.getOutcome().getException().getReason(), Reason::SESSION_EXPIRED);
}

TEST_F(TimeTest, IdleHeadTicksOnceAnHour) {
  begin(2);
  // Sessions end first, and that is no idleness.
  clock.advance(2 * HOUR);
  until("sessions to end", [&]() { return !replica(0).state().idlestSession().has_value(); });
  auto end = replica(0).logEnd().index;
  clock.advance(HOUR - SECOND);
  for (int hours = 0; hours < 2; ++hours) {
    clock.advance(hours == 0 ? SECOND : HOUR);
    until("a tick", [&]() { return replica(1).commit() == end + 1; });
    EXPECT_EQ(replica(0).state().lastStamp(), clock.wall());
    ++end;
  }
}

}  // namespace
}  // namespace gavel::node
