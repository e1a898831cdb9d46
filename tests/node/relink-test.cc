#include <gmock/gmock.h>

#include "tests/node/chain-fixture.h"
#include "tests/node/relay.h"

// R1, R3, R6, R7: bids while the chain changes.
namespace gavel::node {
namespace {

using Reason = schema::Outcome::Exception::Reason;

class Relink: public ChainFixture {
protected:
  // Opens a session and creates an auction "lamp"; everything is on every disk.
  void prepare(std::size_t count) {
    startChain(count);
    auto client = connect(0);
    session = openSession(client);
    createAuction(client, session, 1, "lamp");
  }

  std::uint64_t session = 0;
};

TEST_F(Relink, TailIsKilledAndTheBidInFlightIsAnsweredOnce) {
  prepare(3);
  auto client = connect(0);
  kill(2);
  auto waiting = bid(client, session, 2, 100);
  settle();
  EXPECT_FALSE(waiting.poll(io.waitScope)) << "nothing is committed without the tail";
  relink({0, 1});
  EXPECT_TRUE(within(kj::mv(waiting), "the bid").getOutcome().isSuccess());
  EXPECT_EQ(result(client).getAnswer().getAuction().getBids(), 1u);
}

TEST_F(Relink, MiddleIsKilledAndItsPredecessorResends) {
  prepare(3);
  auto client = connect(0);
  kill(1);
  auto one = bid(client, session, 2, 100);
  auto two = bid(client, session, 3, 101, "bob");
  settle();
  EXPECT_EQ(replica(2).logEnd().index, 2u) << "the entries are stuck at the head";
  relink({0, 2});
  EXPECT_TRUE(within(kj::mv(one), "the bid").getOutcome().isSuccess());
  EXPECT_TRUE(within(kj::mv(two), "the bid").getOutcome().isSuccess());
  EXPECT_EQ(replica(0).state().hash(), replica(2).state().hash());
}

TEST_F(Relink, HeadIsKilledAfterForwardingAndTheRetryFindsTheFirstOutcome) {
  prepare(3);
  auto client = connect(0);
  auto lost = bid(client, session, 2, 100);
  until("the entry to reach the tail", [&]() { return replica(2).logEnd().index == 3; });
  kill(0);
  relink({1, 2});
  auto again = connect(1);
  auto first = within(bid(again, session, 2, 100), "the retry");
  ASSERT_TRUE(first.getOutcome().isSuccess());
  EXPECT_EQ(first.getOutcome().getSuccess().getIndex(), 3u);
  auto second = within(bid(again, session, 2, 100), "the second retry");
  EXPECT_EQ(second.getOutcome().getSuccess().getIndex(), 3u);
  EXPECT_EQ(result(again).getAnswer().getAuction().getBids(), 1u) << "it did not bid twice";
}

TEST_F(Relink, RetryWhileTheFirstAttemptIsInFlightWaitsForIt) {
  startChain(2, Sync::manual);
  auto client = connect(0);
  auto first = client.openSessionRequest().send();
  until("the tail to have it", [&]() { return replica(1).logEnd().index == 1; });
  for (auto& node: nodes) node->store.syncNow();
  auto id = within(kj::mv(first), "a session").getOutcome().getSuccess().getIndex();
  auto one = bid(client, id, 1, 100);
  auto two = bid(client, id, 1, 100);
  until("the tail to have it", [&]() { return replica(1).logEnd().index == 2; });
  settle();
  EXPECT_FALSE(one.poll(io.waitScope));
  EXPECT_FALSE(two.poll(io.waitScope)) << "the outcome is not committed";
  for (auto& node: nodes) node->store.syncNow();
  // There is no auction yet.  That is the outcome, once, and the same for both.
  EXPECT_EQ(within(kj::mv(one), "the bid").getOutcome().getException().getReason(),
            Reason::NO_SUCH_AUCTION);
  EXPECT_EQ(within(kj::mv(two), "the retry").getOutcome().getException().getReason(),
            Reason::NO_SUCH_AUCTION);
  EXPECT_EQ(replica(0).logEnd().index, 2u);
}

TEST_F(Relink, QueryThatWaitsForACommitIsNotAnsweredInALaterEpoch) {
  startChain(1, Sync::manual);
  auto client = connect(0);
  auto session = client.openSessionRequest().send();
  until("the head to have it", [&]() { return replica(0).logEnd().index == 1; });
  auto request = client.resultRequest();
  request.setAuction("lamp");
  auto waiting = request.send();
  settle();
  EXPECT_FALSE(waiting.poll(io.waitScope)) << "it has read what is not committed";
  // The entry that it showed might be dropped, and another one be committed at its index.
  relink({0});
  auto response = within(kj::mv(waiting), "the query");
  ASSERT_TRUE(response.getAnswer().isFailure()) << kj::str(response).cStr();
  EXPECT_EQ(response.getAnswer().getFailure().getReason(),
            schema::QueryFailure::Reason::UNAVAILABLE);
}

TEST_F(Relink, UnloggedRejectWaitsForTheBidThatItQuotes) {
  startChain(2, Sync::manual);
  auto client = connect(0);
  auto syncAll = [&](auto promise, const char* what) {
    until(what, [&]() {
      for (auto& node: nodes) node->store.syncNow();
      return promise.poll(io.waitScope);
    });
    return within(kj::mv(promise), what);
  };
  auto id =
      syncAll(client.openSessionRequest().send(), "a session").getOutcome().getSuccess().getIndex();
  auto create = client.createRequest();
  create.initRequest().setSession(id);
  create.getRequest().setSequence(1);
  create.setAuction("lamp");
  identify(create.initOwner(), "ann");
  create.initTerms().setDuration(1'000'000'000'000);
  syncAll(create.send(), "an auction");

  auto high = bid(client, id, 2, 500);
  auto low = bid(client, id, 3, 400);
  until("the tail to have it", [&]() { return replica(1).logEnd().index == 3; });
  settle();
  EXPECT_FALSE(high.poll(io.waitScope));
  EXPECT_FALSE(low.poll(io.waitScope)) << "it would quote a bid that may yet be lost (R8)";
  syncAll(kj::mv(high), "the high bid");
  auto refused = within(kj::mv(low), "the low bid");
  EXPECT_EQ(refused.getOutcome().getFail().getHighest(), 500);
  EXPECT_EQ(refused.getOutcome().getFail().getNextValid(), 501);
}

TEST_F(Relink, ChainShrinksToOneAndGoesOn) {
  prepare(3);
  kill(0);
  relink({1, 2});
  kill(1);
  relink({2});
  auto client = connect(2);
  EXPECT_TRUE(within(bid(client, session, 2, 100), "a bid").getOutcome().isSuccess());
  EXPECT_EQ(result(client).getAnswer().getAuction().getState().getOpen().getHighest(), 100);
  EXPECT_EQ(replica(2).role(), Role::single);
}

TEST_F(Relink, RemovedHeadCallsItsBidsUnknownAndTheNewHeadSettlesThem) {
  prepare(3);
  auto client = connect(0);
  // The head is cut off from the rest, which goes on without it.
  auto shorter = next({1, 2});
  configuration = shorter;
  for (std::size_t i: {1, 2}) within(replica(i).adopt(shorter), "the others");
  auto stuck = bid(client, session, 2, 100);
  // When the old head attaches to a node in a newer epoch, it learns that it is removed.
  auto outcome = within(kj::mv(stuck), "the old head's answer");
  EXPECT_THAT(outcome.getOutcome().getException().getReason(),
              ::testing::AnyOf(Reason::OUTCOME_UNKNOWN, Reason::UNAVAILABLE));
  auto again = connect(1);
  EXPECT_TRUE(within(bid(again, session, 2, 100), "the retry").getOutcome().isSuccess());
  EXPECT_EQ(result(again).getAnswer().getAuction().getBids(), 1u);
}

TEST_F(Relink, QueryAtABarrierWaitsAndIsThenAnswered) {
  startChain(2, Sync::manual);
  auto client = connect(0);
  auto pending = client.openSessionRequest().send();
  until("the tail to have it", [&]() { return replica(1).logEnd().index == 1; });
  // The tail adopts the next epoch first: in that epoch it has heard nothing from the head yet.
  auto following = next({0, 1});
  auto adopted = replica(1).adopt(following);
  nodes[1]->store.syncNow();
  within(kj::mv(adopted), "the tail");
  auto tail = connect(1);
  auto query = tail.listRequest().send();
  settle();
  EXPECT_FALSE(query.poll(io.waitScope)) << "the tail has a barrier at 1 and commit 0 (R6)";
  configuration = following;
  auto headAdopted = replica(0).adopt(following);
  nodes[0]->store.syncNow();
  within(kj::mv(headAdopted), "the head");
  EXPECT_EQ(within(kj::mv(query), "the list").getAuctions().size(), 0u);
  EXPECT_TRUE(within(kj::mv(pending), "the session").getOutcome().isSuccess());
}

TEST_F(Relink, AuctionWhoseDeadlinePassedWithoutAHeadIsClosedByTheNextOne) {
  startChain(3);
  auto client = connect(0);
  session = openSession(client);
  createAuction(client, session, 1, "lamp", 60'000'000'000);
  EXPECT_TRUE(within(bid(client, session, 2, 100), "a bid").getOutcome().isSuccess());
  kill(0);
  clock.advance(3000'000'000'000);
  auto tail = connect(2);
  auto before = result(tail);
  EXPECT_TRUE(before.getAnswer().getAuction().getState().isOpen())
      << "over is what the log says, not the reader's clock";
  relink({1, 2});
  until("the auction to be closed",
        [&]() { return result(tail).getAnswer().getAuction().getState().isSold(); });
  auto answer = result(tail);
  auto sold = answer.getAnswer().getAuction().getState().getSold();
  EXPECT_EQ(sold.getPrice(), 100);
  EXPECT_STREQ(sold.getWinner().cStr(), "ann");
  auto head = connect(1);
  EXPECT_EQ(
      within(bid(head, session, 3, 200), "a late bid").getOutcome().getException().getReason(),
      Reason::CLOSED);
}

TEST_F(Relink, StampsDoNotGoBackWithTheNewHeadsClock) {
  startChain(2);
  auto client = connect(0);
  session = openSession(client);
  createAuction(client, session, 1, "lamp");
  auto first = within(bid(client, session, 2, 100), "a bid");
  auto stamp = first.getOutcome().getSuccess().getStamp();
  kill(0);
  clock.bootNow -= 600'000'000'000;  // The new head's clock lags by ten minutes.
  relink({1});
  auto again = connect(1);
  auto second = within(bid(again, session, 3, 200), "a bid");
  EXPECT_GT(second.getOutcome().getSuccess().getStamp(), stamp);
}

TEST_F(Relink, NodeAdoptsTheConfigurationThatItsPredecessorBrings) {
  prepare(3);
  kill(1);
  auto shorter = next({0, 2});
  configuration = shorter;
  within(replica(0).adopt(shorter), "the head");  // The tail gets it from the head only.
  auto client = connect(0);
  EXPECT_TRUE(within(bid(client, session, 2, 100), "a bid").getOutcome().isSuccess());
  EXPECT_EQ(replica(2).newest().epoch, shorter.epoch);
  EXPECT_EQ(nodes[2]->store.configuration(), shorter) << "made durable before it acted (R1)";
}

TEST_F(Relink, HeadWithNothingToSendLearnsThatItWasRemoved) {
  startChain(3, Sync::manual);
  auto client = connect(0);
  auto stuck = client.openSessionRequest().send();
  until("the tail to have it", [&]() { return replica(2).logEnd().index == 1; });
  // The rest goes on without the head, whose disk is busy: it has sent all that it has.
  configuration = next({1, 2});
  for (std::size_t i: {1, 2}) {
    auto adopted = replica(i).adopt(configuration);
    nodes[i]->store.syncNow();
    within(kj::mv(adopted), "the others");
  }
  until("the head to hear of it", [&]() { return replica(0).newest().epoch == 2; });
  nodes[0]->store.syncNow();
  auto outcome = within(kj::mv(stuck), "the old head's answer");
  EXPECT_EQ(outcome.getOutcome().getException().getReason(), Reason::OUTCOME_UNKNOWN);
}

TEST_F(Relink, NodeThatForwardsLearnsTheNewConfigurationFromTheMember) {
  prepare(3);
  configuration = next({0, 1});
  for (std::size_t i: {0, 1}) within(replica(i).adopt(configuration), "the others");
  auto client = connect(2);  // It was removed, and nobody has told it.
  until("the bid to be forwarded in the new epoch",
        [&]() { return within(bid(client, session, 2, 100), "a bid").getOutcome().isSuccess(); });
  EXPECT_EQ(replica(2).newest().epoch, configuration.epoch);
  EXPECT_EQ(result(client).getAnswer().getAuction().getBids(), 1u);
}

TEST_F(Relink, SilentLinkIsFoundOutAndMadeAnew) {
  startChain(2);
  Relay relay(io, nodes[1]->address);
  configuration = next({0, 1});
  configuration.members[1].address = relay.address();
  for (std::size_t i: {0, 1}) within(replica(i).adopt(configuration), "a chain by way of a relay");
  auto client = connect(0);
  openSession(client);
  relay.silence();
  // Nobody tells the head that its entries do not arrive: it has to ask.
  openSession(client);
  EXPECT_EQ(replica(1).logEnd().index, 2u);
}

TEST_F(Relink, IgnoresAnOlderConfiguration) {
  prepare(3);
  auto old = configuration;
  relink({0, 1, 2});
  within(replica(0).adopt(old), "nothing");
  EXPECT_EQ(replica(0).newest().epoch, configuration.epoch);
}

class RelinkDeathTest: public Relink {
protected:
  // The child starts anew instead of with the sockets of this process.
  RelinkDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(RelinkDeathTest, HaltsWhenOneEpochHasTwoConfigurations) {
  prepare(2);
  auto other = configuration;
  other.members.pop_back();
  EXPECT_EXIT(replica(0).adopt(other), ::testing::ExitedWithCode(1),
              "two different configurations of one epoch");
}

TEST_F(RelinkDeathTest, HaltsWhenItsSuccessorHoldsMore) {
  prepare(2);
  // This log is no prefix of the head's, which no rule allows.
  auto follower =
      kj::heap<TestNode>(io, clock, random, "n3", Sync::atOnce, head::Admission::Limits{});
  nodes.push_back(kj::mv(follower));
  Configuration alone = configuration;
  alone.members = {nodes[2]->member("n3")};
  within(replica(2).adopt(alone), "a chain of its own");
  auto client = connect(2);
  for (int i = 0; i < 5; ++i) openSession(client);
  EXPECT_EXIT(
      {
        configuration = next({0, 2});
        within(replica(2).adopt(configuration), "the successor");
        within(replica(0).adopt(configuration), "the head");
        until("the end", []() { return false; });
      },
      ::testing::ExitedWithCode(1), "holds entries that this node does not");
}

}  // namespace
}  // namespace gavel::node
