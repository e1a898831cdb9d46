#include <gmock/gmock.h>

#include "auction/records.h"
#include "tests/node/chain-fixture.h"

// R8, R10: which nodes answer with committed state, and when not.
namespace gavel::node {
namespace {

class Confirm: public ChainFixture {
protected:
  using Outcome = capnp::Response<schema::Auctioneer::BidResults>;

  // Creates auction "lamp", with a bid of 100.
  void prepare(std::size_t count) {
    startChain(count);
    auto client = connect(0);
    session = openSession(client);
    createAuction(client, session, 1, "lamp");
    ASSERT_TRUE(within(bid(client, session, 2, 100), "the bid").getOutcome().isSuccess());
  }

  // The others go on without node `removed`.  It does not learn that, and still believes that it is
  // a member.  200 outbids 100.
  void goOnWithout(std::size_t removed, const std::vector<std::size_t>& others) {
    relink(others);
    auto client = connect(others.front());
    ASSERT_TRUE(within(bid(client, session, 3, 200, "bob"), "the bid").getOutcome().isSuccess());
    ASSERT_TRUE(replica(removed).acting());
  }

  capnp::RemotePromise<schema::Auctioneer::ResultResults> ask(schema::NodeService::Client& client) {
    auto request = client.resultRequest();
    request.setAuction("lamp");
    return request.send();
  }

  // It does not answer, or answers with a failure, but never with an old value.
  void expectNoOldAnswer(std::size_t node) {
    auto client = connect(node);
    auto response = within(ask(client), "the chain not to confirm");
    auto answer = response.getAnswer();
    if (answer.isAuction()) {
      EXPECT_EQ(answer.getAuction().getState().getOpen().getHighest(), 200);
    } else {
      EXPECT_EQ(answer.getFailure().getReason(), schema::QueryFailure::Reason::UNAVAILABLE);
    }
  }

  std::uint64_t session = 0;
};

TEST_F(Confirm, EveryMemberShowsWhatWasAcknowledged) {
  prepare(5);
  auto head = connect(0);
  for (std::int64_t amount = 101; amount < 120; ++amount) {
    ASSERT_TRUE(within(bid(head, session, static_cast<std::uint64_t>(amount), amount), "the bid")
                    .getOutcome()
                    .isSuccess());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      auto client = connect(i);
      auto response = result(client);
      auto shown = response.getAnswer().getAuction();
      EXPECT_EQ(shown.getState().getOpen().getHighest(), amount) << "at node " << i;
    }
  }
}

TEST_F(Confirm, QueryIsAnsweredByTheNodeThatIsAsked) {
  prepare(3);
  auto client = connect(1);
  // A forwarded query would have to reach the tail.
  auto answer = within(ask(client), "an answer");
  EXPECT_EQ(answer.getAnswer().getAuction().getIndex(), replica(1).state().lastIndex());
}

TEST_F(Confirm, RemovedTailDoesNotAnswer) {
  prepare(3);
  goOnWithout(2, {0, 1});
  expectNoOldAnswer(2);
}

TEST_F(Confirm, RemovedMiddleDoesNotAnswer) {
  prepare(3);
  goOnWithout(1, {0, 2});
  expectNoOldAnswer(1);
}

TEST_F(Confirm, RemovedHeadDoesNotAnswer) {
  prepare(3);
  goOnWithout(0, {1, 2});
  expectNoOldAnswer(0);
}

TEST_F(Confirm, NeighboursThatWereRemovedTogetherDoNotConfirmEachOther) {
  prepare(4);
  relink({0, 1});
  auto client = connect(0);
  ASSERT_TRUE(within(bid(client, session, 3, 200, "bob"), "the bid").getOutcome().isSuccess());
  ASSERT_TRUE(replica(2).acting() && replica(3).acting());
  expectNoOldAnswer(2);
  expectNoOldAnswer(3);
}

TEST_F(Confirm, DeposedHeadRejectsNothing) {
  prepare(3);
  goOnWithout(0, {1, 2});
  auto client = connect(0);
  // As far as this head knows, 100 is the highest bid.
  auto refused = bid(client, session, 9, 50);
  settle();
  if (!refused.poll(io.waitScope)) return;
  auto response = within(kj::mv(refused), "it");
  auto outcome = response.getOutcome();
  // It may know by now that it is no member, and have passed the bid on.
  if (outcome.isFail()) {
    EXPECT_EQ(outcome.getFail().getHighest(), 200)
        << "judged on a state that is not the chain's any more";
  }
}

TEST_F(Confirm, RejectWaitsForTheChain) {
  prepare(3);
  auto client = connect(0);
  kill(1);
  auto refused = bid(client, session, 3, 50);
  settle();
  EXPECT_FALSE(refused.poll(io.waitScope)) << "nobody has confirmed that this is the head";
  relink({0, 2});
  auto response = within(kj::mv(refused), "the reject");
  auto outcome = response.getOutcome();
  ASSERT_TRUE(outcome.isFail());
  EXPECT_EQ(outcome.getFail().getHighest(), 100);
}

TEST_F(Confirm, WhatWasConfirmedInAnEarlierEpochIsNotShown) {
  prepare(3);
  auto& queries = nodes[0]->node.queries();
  auto epoch = within(queries.confirmed(), "the chain to confirm");
  relink({0, 1, 2});
  capnp::MallocMessageBuilder message;
  auto list = within(queries
                         .list(epoch, schema::Auctioneer::ListParams::Reader(),
                               message.initRoot<schema::Auctioneer::ListResults>())
                         .then([]() { return false; },
                               [](kj::Exception&& exception) {
                                 return exception.getType() == kj::Exception::Type::OVERLOADED;
                               }),
                     "the list to be refused");
  EXPECT_TRUE(list) << "as of an index whose entry may be another one by now";
}

TEST_F(Confirm, RemovedTailGivesNoSnapshot) {
  prepare(3);
  goOnWithout(2, {0, 1});
  auto refused = within(replica(2).snapshot().then([](auto&&) { return false; },
                                                   [](kj::Exception&&) { return true; }),
                        "the snapshot to be refused");
  EXPECT_TRUE(refused);
}

// -- a backup of a chain that cannot confirm

class Unconfirmed: public Confirm {
protected:
  // The highest bid on "lamp" in the snapshot.
  std::int64_t highestIn(SnapshotReader& reader) {
    auction::Loader loader;
    std::vector<kj::Array<kj::byte>> parts;
    for (;;) {
      auto part = within(reader.next(), "a part");
      if (part.size() == 0) break;
      auction::RecordReader records(std::string_view(part.asChars().begin(), part.size()));
      while (auto record = records.next()) loader.add(record->key, *record->value);
      parts.push_back(kj::mv(part));
    }
    // The first node is not killed in these tests.
    auto state = loader.finish(nodes.front()->store.ended());
    return KJ_ASSERT_NONNULL(state.findAuction("lamp")).highest;
  }
  std::string refusal(std::size_t i) {
    return within(replica(i).unconfirmedSnapshot().then(
                      [](auto&&) { return std::string(); },
                      [](kj::Exception&& e) { return std::string(e.getDescription().cStr()); }),
                  "an answer");
  }
};

// The tail tells the head at once what is committed, and its predecessor later.  So a member's log
// may hold what was acknowledged long ago, though that member knows of no commit.
TEST_F(Unconfirmed, HasWhatWasAcknowledgedAndPerhapsMore) {
  prepare(3);
  auto client = connect(0);
  auto committed = replica(0).commit();
  kill(2);
  auto pending = bid(client, session, 3, 200, "bob");
  until("the bid to be in both logs", [&]() {
    return replica(1).logEnd().index > committed && replica(1).durable() > committed;
  });
  EXPECT_FALSE(pending.poll(io.waitScope));
  for (std::size_t i: {0, 1}) {
    auto refused = within(replica(i).snapshot().then([](auto&&) { return false; },
                                                     [](kj::Exception&&) { return true; }),
                          "the snapshot to be refused");
    EXPECT_TRUE(refused);
    auto reader = within(replica(i).unconfirmedSnapshot(), "the snapshot");
    EXPECT_EQ(reader->position(), replica(i).logEnd());
    // What the tail said last may still be on its way to the middle.
    if (i == 0) {
      EXPECT_EQ(replica(i).knownCommitted(), committed);
    }
    EXPECT_LE(replica(i).knownCommitted(), committed);
    EXPECT_EQ(highestIn(*reader), 200);
  }
  // The node itself goes on as before.
  EXPECT_LE(replica(1).commit(), committed);
  relink({0, 1});
  ASSERT_TRUE(within(kj::mv(pending), "the bid").getOutcome().isSuccess());
}

// It would lack what the chain acknowledges from then on, without saying so.
TEST_F(Unconfirmed, IsRefusedWhereTheNodeLearnsMeanwhileThatItWasRemoved) {
  prepare(3);
  auto opening = replica(1).unconfirmedSnapshot().then([](auto&&) { return false; },
                                                       [](kj::Exception&&) { return true; });
  configuration = next({0, 2});
  within(replica(1).adopt(configuration), "the removed one to adopt");
  EXPECT_TRUE(within(kj::mv(opening), "an answer"));
}

TEST_F(Unconfirmed, IsRefusedByANodeThatMayLackSomething) {
  prepare(3);
  relink({0, 1});
  // It learns that.
  within(replica(2).adopt(configuration), "the removed one to adopt");
  EXPECT_THAT(refusal(2), ::testing::HasSubstr("no serving member of the newest configuration"));
  EXPECT_EQ(refusal(1), "");
  configuration = next({0, 1, 2});
  configuration.members.back().serving = false;
  within(replica(2).adopt(configuration), "the joiner to adopt");
  EXPECT_THAT(refusal(2), ::testing::HasSubstr("no serving member of the newest configuration"));
}

TEST_F(Confirm, QueryThatWaitsWhileTheChainIsRelinkedIsToldToTryAgain) {
  prepare(3);
  auto client = connect(1);
  kill(0);
  auto asked = ask(client);
  settle();
  relink({1, 2});
  auto response = within(kj::mv(asked), "an answer");
  auto answer = response.getAnswer();
  ASSERT_TRUE(answer.isFailure());
  EXPECT_EQ(answer.getFailure().getReason(), schema::QueryFailure::Reason::UNAVAILABLE);
  EXPECT_EQ(result(client).getAnswer().getAuction().getState().getOpen().getHighest(), 100);
}

TEST_F(Confirm, ManyQueriesAtAllNodesWhileBidsGoOn) {
  prepare(3);
  auto head = connect(0);
  std::vector<schema::NodeService::Client> clients;
  for (std::size_t i = 0; i < 3; ++i) clients.push_back(connect(i));
  std::uint64_t sequence = 3;
  for (int round = 0; round < 50; ++round) {
    auto amount = 1000 + round;
    auto bidding = bid(head, session, sequence++, amount);
    kj::Vector<capnp::RemotePromise<schema::Auctioneer::ResultResults>> asked;
    for (auto& client: clients) {
      for (int i = 0; i < 10; ++i) asked.add(ask(client));
    }
    ASSERT_TRUE(within(kj::mv(bidding), "the bid").getOutcome().isSuccess());
    for (auto& each: asked) {
      auto response = within(kj::mv(each), "an answer");
      auto answer = response.getAnswer();
      ASSERT_TRUE(answer.isAuction());
      auto shown = answer.getAuction().getState().getOpen().getHighest();
      EXPECT_TRUE(shown == amount || shown == (round == 0 ? 100 : amount - 1)) << shown;
    }
  }
}

}  // namespace
}  // namespace gavel::node
