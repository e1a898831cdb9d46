#include <gmock/gmock.h>

#include "node/local-desk.h"
#include "tests/node/chain-fixture.h"
#include "tests/support/entries.h"

// R4, R5: an entry's way from the head to every disk, and the commit back.
namespace gavel::node {
namespace {

class Replication: public ChainFixture {};

TEST_F(Replication, AnswersOnlyWhenEveryDiskHasIt) {
  startChain(3, Sync::manual);
  auto client = connect(0);
  auto session = client.openSessionRequest().send();
  until("the entry to reach the tail", [&]() { return replica(2).logEnd().index == 1; });
  // In this order of syncs, each node in turn is the last.
  nodes[2]->store.syncNow();
  settle();
  EXPECT_FALSE(session.poll(io.waitScope)) << "head and middle have not synced";
  nodes[0]->store.syncNow();
  settle();
  EXPECT_FALSE(session.poll(io.waitScope)) << "the middle has not synced";
  nodes[1]->store.syncNow();
  EXPECT_TRUE(within(kj::mv(session), "a session").getOutcome().isSuccess());
  EXPECT_EQ(replica(0).commit(), 1u);
  EXPECT_EQ(replica(2).commit(), 1u);
  until("the middle to hear of it", [&]() { return replica(1).commit() == 1; });
}

TEST_F(Replication, ForwardsBeforeItPersists) {
  startChain(4, Sync::manual);
  auto client = connect(0);
  auto session = client.openSessionRequest().send();
  until("the entry to reach the tail", [&]() { return replica(3).logEnd().index == 1; });
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(replica(i).durable(), 0u) << "n" << i + 1;
}

TEST_F(Replication, ChainOfOneAnswersAfterItsOwnDisk) {
  startChain(1, Sync::manual);
  auto client = connect(0);
  auto session = client.openSessionRequest().send();
  settle();
  EXPECT_FALSE(session.poll(io.waitScope));
  nodes[0]->store.syncNow();
  EXPECT_TRUE(within(kj::mv(session), "a session").getOutcome().isSuccess());
}

TEST_F(Replication, ShowsNothingUncommittedInAQuery) {
  startChain(1, Sync::manual);
  auto client = connect(0);
  auto session = client.openSessionRequest().send();
  until("the head to have it", [&]() { return replica(0).logEnd().index == 1; });
  auto query = client.listRequest().send();
  settle();
  EXPECT_FALSE(query.poll(io.waitScope)) << "the state holds an entry that is not committed";
  nodes[0]->store.syncNow();
  EXPECT_EQ(within(kj::mv(query), "a list").getAuctions().size(), 0u);
}

TEST_F(Replication, GathersATurnsBidsIntoOneBatch) {
  startChain(2);
  auto client = connect(0);
  auto session = openSession(client);
  createAuction(client, session, 1, "lamp");
  auto before = nodes[1]->store.batches().size();
  kj::Vector<kj::Promise<void>> bids;
  for (unsigned i = 0; i < 200; ++i) {
    bids.add(bid(client, session, 2 + i, 100 + i).then([](BidResponse&& response) {
      KJ_ASSERT(response.getOutcome().isSuccess());
    }));
  }
  within(kj::joinPromises(bids.releaseAsArray()), "the bids");
  EXPECT_LT(nodes[1]->store.batches().size() - before, 100u);
  EXPECT_EQ(replica(1).logEnd().index, 202u);
}

TEST_F(Replication, EqualLogsGiveEqualStates) {
  startChain(3);
  auto client = connect(1);
  auto session = openSession(client);
  createAuction(client, session, 1, "lamp");
  for (unsigned i = 0; i < 50; ++i) within(bid(client, session, 2 + i, 100 + i), "a bid");
  until("the commit to reach the head", [&]() { return replica(0).commit() == 52; });
  until("the commit to reach the middle", [&]() { return replica(1).commit() == 52; });
  EXPECT_EQ(replica(0).state().hash(), replica(2).state().hash());
  EXPECT_EQ(replica(1).state().hash(), replica(2).state().hash());
}

TEST_F(Replication, EveryNodeAnswersBidsAndQueries) {
  startChain(4);
  for (std::size_t i = 0; i < 4; ++i) {
    auto client = connect(i);
    auto session = openSession(client);
    auto name = kj::str("lamp", i);
    createAuction(client, session, 1, name);
    auto response = within(bid(client, session, 2, 500, "ann", "0123456789abcdef", name), "a bid");
    EXPECT_TRUE(response.getOutcome().isSuccess()) << "by way of n" << i + 1;
    auto answer = result(client, name);
    EXPECT_EQ(answer.getAnswer().getAuction().getState().getOpen().getHighest(), 500);
    auto history = client.historyRequest();
    history.setAuction(name);
    EXPECT_EQ(within(history.send(), "a history").getVersions().size(), 2u);
  }
}

TEST_F(Replication, RefusesMoreBidsInOneCallThanItCouldAnswer) {
  startChain(2);
  for (std::size_t i: {0, 1}) {
    auto client = connect(i);
    auto request = client.bidsRequest();
    request.initRequests(node::MAX_BIDS_PER_CALL + 1);
    auto failure = within(request.send().then([](auto&&) { return kj::str("no error"); },
                                              [](kj::Exception&& e) { return kj::str(e); }),
                          "a failure");
    EXPECT_THAT(failure.cStr(), ::testing::HasSubstr("too many bids in one call"));
  }
  EXPECT_EQ(replica(0).logEnd().index, 0u);
}

TEST_F(Replication, RefusesNewBidsRatherThanGrow) {
  head::Admission::Limits limits;
  limits.pendingBytes = 200'000;
  startChain(2, Sync::manual, limits);
  auto client = connect(0);
  kj::Vector<kj::Promise<void>> calls;
  unsigned overloaded = 0;
  unsigned good = 0;
  for (unsigned i = 0; i < 1000; ++i) {
    calls.add(client.openSessionRequest()
                  .send()
                  .then([&](auto&& response) {
                    auto outcome = response.getOutcome();
                    if (outcome.isSuccess()) {
                      ++good;
                    } else {
                      EXPECT_EQ(outcome.getException().getReason(),
                                schema::Outcome::Exception::Reason::UNAVAILABLE);
                      EXPECT_THAT(outcome.getException().getDetail().cStr(),
                                  ::testing::HasSubstr("overloaded"));
                      ++overloaded;
                    }
                  })
                  .eagerlyEvaluate(nullptr));
  }
  settle();
  EXPECT_GT(overloaded, 500u) << "the refusals do not wait for the disk";
  EXPECT_EQ(good, 0u);
  auto all = kj::joinPromises(calls.releaseAsArray());
  until("the rest to be answered", [&]() {
    for (auto& node: nodes) node->store.syncNow();
    return all.poll(io.waitScope);
  });
  EXPECT_GT(good, 0u);
  EXPECT_EQ(good + overloaded, 1000u);
  EXPECT_EQ(replica(1).logEnd().index, good) << "what was refused was not run";
}

TEST_F(Replication, WhatIsCommittedIsNotPending) {
  head::Admission::Limits limits;
  limits.uncommittedBytes = 8'000;
  startChain(2, Sync::manual, limits);
  auto client = connect(0);
  auto answered =
      [&](kj::Vector<capnp::RemotePromise<schema::Auctioneer::OpenSessionResults>>&& calls) {
        unsigned good = 0;
        for (auto& call: calls) {
          until("an answer", [&]() {
            for (auto& node: nodes) node->store.syncNow();
            return call.poll(io.waitScope);
          });
          if (within(kj::mv(call), "an answer").getOutcome().isSuccess()) ++good;
        }
        return good;
      };
  // Several times as much, and all of it stays in memory for a successor that needs it again.
  while (replica(0).commit() < 1000) {
    kj::Vector<capnp::RemotePromise<schema::Auctioneer::OpenSessionResults>> calls;
    for (unsigned i = 0; i < 20; ++i) calls.add(client.openSessionRequest().send());
    ASSERT_EQ(answered(kj::mv(calls)), 20u);
  }
  kj::Vector<capnp::RemotePromise<schema::Auctioneer::OpenSessionResults>> calls;
  for (unsigned i = 0; i < 5; ++i) {
    auto before = replica(0).logEnd().index;
    calls.add(client.openSessionRequest().send());
    until("the head to order it", [&]() { return replica(0).logEnd().index > before; });
    EXPECT_GT(replica(0).uncommittedBytes(), 0u);
  }
  EXPECT_EQ(answered(kj::mv(calls)), 5u);
  EXPECT_EQ(replica(0).uncommittedBytes(), 0u);
}

class SilentAcks final: public schema::Acks::Server {
  kj::Promise<void> committed(CommittedContext) override { return kj::READY_NOW; }
  kj::Promise<void> persisted(PersistedContext) override { return kj::READY_NOW; }
  kj::Promise<void> refused(RefusedContext) override { return kj::READY_NOW; }
};

TEST_F(Replication, JoinerTakesNoMoreThanItsDiskKeepsUpWith) {
  startChain(2, Sync::manual);
  auto joining = next({0, 1});
  joining.members.back().serving = false;
  kill(0);  // The test plays the tail.
  chain::Header header{joining.clusterId, joining.epoch, joining.members[0].incarnation,
                       joining.members[1].incarnation};
  auto& disk = nodes[1]->store;
  auto synced = [&](auto promise, const char* what) {
    until(what, [&]() {
      disk.syncNow();
      return promise.poll(io.waitScope);
    });
    return within(kj::mv(promise), what);
  };
  auto peer = connect(1);
  auto attach = [&]() {
    auto request = peer.attachRequest();
    header.write(request.initHeader());
    request.setProtocolVersion(schema::PROTOCOL_VERSION);
    joining.write(request.initConfiguration());
    request.setAcks(kj::heap<SilentAcks>());
    return within(request.send(), "an answer at once, whatever the disk does");
  };
  auto attached = attach();
  ASSERT_TRUE(attached.getResult().isRejected()) << "it has to store the configuration first";
  EXPECT_EQ(attached.getResult().getRejected().getReason(), schema::Rejection::Reason::BUSY);
  until("the joiner to be attached", [&]() {
    disk.syncNow();
    attached = attach();
    return attached.getResult().isAttached();
  });
  auto link = attached.getResult().getAttached().getLink();
  auto cut = link.cutRequest();
  header.write(cut.initHeader());
  ASSERT_TRUE(synced(cut.send(), "the shared position").getResult().isShared());

  Position end;
  std::size_t bytes = 0;
  auto append = [&]() {
    auto batch = batchAfter(end, 5'000);
    end = batch->end();
    bytes += batch->bytes().size();
    auto request = link.appendRequest();
    header.write(request.initHeader());
    request.initBatches(1).set(0, batch->bytes());
    return request.send();
  };
  constexpr std::size_t MEBIBYTE = 1024 * 1024;
  kj::Promise<void> waiting = append();
  settle();
  while (bytes < 20 * MEBIBYTE && waiting.poll(io.waitScope)) {
    waiting = append();
    settle();
  }
  EXPECT_LT(bytes, 20 * MEBIBYTE) << "its disk has taken nothing";
  // The rest is in the sockets.
  EXPECT_GE(replica(1).uncommittedBytes(), 4 * MEBIBYTE);
  EXPECT_LE(replica(1).uncommittedBytes(), 6 * MEBIBYTE);
  synced(kj::mv(waiting), "room after the disk has caught up");
}

}  // namespace
}  // namespace gavel::node
