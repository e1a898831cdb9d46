#include <gtest/gtest.h>

#include "tests/node/chain-fixture.h"

// R9: what a member that comes back reports to watchers that stayed with it.
namespace gavel::node {
namespace {

class Rejoin: public ChainFixture {
protected:
  // All changes that node `i` reports after position `after`, which advances.  Ends at a call that
  // reports none.
  std::vector<std::int64_t> watch(std::size_t i, std::uint64_t& after, bool& gap) {
    auto client = connect(i);
    std::vector<std::int64_t> amounts;
    for (;;) {
      auto request = client.watchAllRequest();
      request.setAfter(after);
      auto page = within(request.send(), "what happened");
      KJ_ASSERT(!page.hasFailure(), page);
      gap = gap || page.getGap();
      after = page.getPosition();
      if (page.getChanges().size() == 0) return amounts;
      for (auto change: page.getChanges()) amounts.push_back(change.getVersion().getAmount());
    }
  }
};

// A head that was cut off ordered entries that nobody else has.  It drops them, and begins again
// with its checkpoint, long before what it knows to be committed.
TEST_F(Rejoin, TellsWhatWasCommittedSinceItsCheckpoint) {
  startChain(3);
  auto old = connect(0);
  auto session = openSession(old);
  createAuction(old, session, 1, "lamp");
  ASSERT_TRUE(within(bid(old, session, 2, 100), "the bid").getOutcome().isSuccess());
  std::uint64_t position = 0;
  bool gap = false;
  ASSERT_EQ(watch(0, position, gap), (std::vector<std::int64_t>{0, 100}));
  for (std::uint64_t i = 3; i <= 20; ++i) {
    ASSERT_TRUE(
        within(bid(old, session, i, 100 * std::int64_t(i)), "the bid").getOutcome().isSuccess());
  }
  auto missed = replica(0).commit();

  relink({1, 2});
  ASSERT_TRUE(replica(0).acting()) << "it was told";
  auto unsent = bid(old, session, 21, 5000);
  until("the old head to order it", [&]() { return replica(0).logEnd().index > missed; });

  auto joining = next({1, 2, 0});
  joining.members.back().serving = false;
  for (std::size_t i: {1, 2, 0}) {
    within(replica(i).adopt(joining), "the joiner to be named");
  }
  until("it to drop that", [&]() { return replica(0).logEnd().index == missed; });
  until("the gate", [&]() { return replica(2).gating() && replica(0).durable() == missed; });
  configuration = joining;
  relink({1, 2, 0});

  auto told = watch(0, position, gap);
  EXPECT_FALSE(gap) << "all of it is in its log";
  ASSERT_EQ(told.size(), 18u);
  EXPECT_EQ(told.front(), 300);
  EXPECT_EQ(told.back(), 2000);
  EXPECT_EQ(position, replica(0).commit());
}

class NoAcks final: public schema::Acks::Server {};

// An attachment of a tail is delivered late.  It carries the end of the tail's log when it tried,
// which is before what the joiner has heard on another connection to be committed.
TEST_F(Rejoin, AttachmentThatWasLongOnItsWayIsNoSignOfALoss) {
  startChain(2);
  auto client = connect(0);
  auto session = openSession(client);
  createAuction(client, session, 1, "lamp");
  relink({0});
  auto joining = next({0, 1});
  joining.members.back().serving = false;
  for (std::size_t i: {0, 1}) within(replica(i).adopt(joining), "the joiner to be named");
  configuration = joining;
  auto ended = replica(0).logEnd();
  for (std::uint64_t i = 2; i <= 5; ++i) {
    ASSERT_TRUE(
        within(bid(client, session, i, 100 * std::int64_t(i)), "the bid").getOutcome().isSuccess());
  }
  until("the joiner to know it to be committed", [&]() {
    auto bound = replica(1).bound();
    return bound.madeIn == joining.epoch && bound.at.index > ended.index;
  });

  auto late = connect(1);
  auto request = late.attachRequest();
  auto header = request.initHeader();
  header.setClusterId(joining.clusterId);
  header.setEpoch(joining.epoch);
  header.setSender(replica(0).incarnation());
  header.setReceiver(replica(1).incarnation());
  request.setProtocolVersion(schema::PROTOCOL_VERSION);
  joining.write(request.initConfiguration());
  writePosition(ended, request.initEnd());
  request.setAcks(kj::heap<NoAcks>());
  EXPECT_TRUE(within(request.send(), "an answer").getResult().isAttached());

  ASSERT_TRUE(within(bid(client, session, 6, 1000), "the bid").getOutcome().isSuccess());
  until("the joiner to have it", [&]() { return replica(1).durable() == replica(0).commit(); });
}

}  // namespace
}  // namespace gavel::node
