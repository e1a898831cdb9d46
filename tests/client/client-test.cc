#include "client/client.h"

#include <gtest/gtest.h>

#include "tests/client/world.h"

namespace gavel::client::testing {
namespace {

using Reason = schema::Outcome::Exception::Reason;

const std::vector<MemberPlan> CHAIN = {{"n1", "n1:1"}, {"n2", "n2:1"}, {"n3", "n3:1"}};

// Three nodes, all up, and a client that knows only the middle one.
class ClientTest: public ::testing::Test {
public:
  ClientTest() {
    for (auto& member: CHAIN) world.start(member.address, CHAIN);
    client = world.client("n2:1");
  }
  ~ClientTest() noexcept override = default;

  World world;
  kj::Own<Client> client;

  Script& n1() { return world.scripts["n1:1"]; }
  Script& n2() { return world.scripts["n2:1"]; }
  Script& n3() { return world.scripts["n3:1"]; }

  kj::Duration timed(const std::function<void()>& action) {
    auto before = world.timer.now();
    action();
    return world.timer.now() - before;
  }

  void relink(std::vector<MemberPlan> members) {
    for (auto& [address, script]: world.scripts) {
      script.epoch++;
      script.members = members;
    }
  }
};

TEST_F(ClientTest, SendsBidsToTheHead) {
  auto result = world.run(client->bid(order(120)));
  EXPECT_TRUE(result.outcome().isSuccess());
  ASSERT_EQ(n1().seen.size(), 1u);
  EXPECT_EQ(n1().seen[0].session, 100u);
  EXPECT_EQ(n1().seen[0].sequence, 1u);
  EXPECT_EQ(kj::str(KJ_ASSERT_NONNULL(result.request)), "100-1");
  EXPECT_TRUE(n2().seen.empty());
}

TEST_F(ClientTest, SendsQueriesToTheTail) {
  auto answer = world.run(client->result("lamp"));
  EXPECT_TRUE(answer.get().isAuction());
  EXPECT_EQ(n3().queries, 1u);
}

TEST_F(ClientTest, OpensOneSessionForConcurrentRequests) {
  auto first = client->bid(order(1));
  auto second = client->bid(order(2));
  world.run(kj::mv(first));
  world.run(kj::mv(second));
  EXPECT_EQ(n1().sessionsOpened, 1u);
  EXPECT_NE(n1().seen[0].sequence, n1().seen[1].sequence);
}

TEST_F(ClientTest, FreesWhatItHasTheOutcomeOf) {
  for (int i = 0; i < 3; ++i) world.run(client->bid(order(i + 1)));
  EXPECT_EQ(n1().seen[2].sequence, 3u);
  EXPECT_EQ(n1().seen[2].lowestIncomplete, 3u);
}

TEST_F(ClientTest, RetriesALostReplyWithTheSameId) {
  n1().replies = {Reply::loseReply};
  auto result = world.run(client->bid(order(120)));
  EXPECT_TRUE(result.outcome().isSuccess());
  std::vector<SeenRequest> all = n1().seen;
  for (auto* other: {&n2(), &n3()}) {
    all.insert(all.end(), other->seen.begin(), other->seen.end());
  }
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].session, all[1].session);
  EXPECT_EQ(all[0].sequence, all[1].sequence);
}

TEST_F(ClientTest, RetriesUnavailable) {
  n1().replies = {Reply::unavailable, Reply::unavailable};
  n2().afterwards = Reply::unavailable;
  n3().afterwards = Reply::unavailable;
  auto time = timed([&]() {
    auto result = world.run(client->bid(order(120)));
    EXPECT_TRUE(result.outcome().isSuccess());
  });
  EXPECT_LT(time, 200 * kj::MILLISECONDS);
}

TEST_F(ClientTest, FindsTheNewHeadSoonAfterAKill) {
  world.run(client->bid(order(1)));
  world.kill("n1:1");
  n2().afterwards = Reply::unavailable;
  n3().afterwards = Reply::unavailable;
  auto pending = client->bid(order(2));
  EXPECT_FALSE(pending.poll(world.waitScope));
  world.pass(60 * kj::MILLISECONDS);  // The master needs a moment.
  relink({CHAIN[1], CHAIN[2]});
  n2().afterwards = Reply::success;
  auto time = timed([&]() { EXPECT_TRUE(world.run(kj::mv(pending)).outcome().isSuccess()); });
  EXPECT_LT(time, 60 * kj::MILLISECONDS);
  EXPECT_EQ(n2().seen.back().session, 100u);
}

TEST_F(ClientTest, LeavesAPausedHeadWhenAnotherIsMade) {
  world.run(client->bid(order(1)));
  n1().afterwards = Reply::silent;
  n1().topologySilent = true;
  auto pending = client->bid(order(2));
  EXPECT_FALSE(pending.poll(world.waitScope));
  world.pass(300 * kj::MILLISECONDS);
  relink({CHAIN[1], CHAIN[2]});
  auto time = timed([&]() { EXPECT_TRUE(world.run(kj::mv(pending)).outcome().isSuccess()); });
  EXPECT_LT(time, 350 * kj::MILLISECONDS);
  EXPECT_EQ(n2().seen.back().sequence, n1().seen.back().sequence);
}

TEST_F(ClientTest, TriesOthersWhileThePreferredNodeIsSilent) {
  n1().afterwards = Reply::silent;
  // openSession is answered; only bids are stuck.  n2 would forward them.
  auto time = timed([&]() { EXPECT_TRUE(world.run(client->bid(order(5))).outcome().isSuccess()); });
  EXPECT_LT(time, 1500 * kj::MILLISECONDS);
  EXPECT_EQ(n2().seen.size() + n3().seen.size(), 1u);
}

TEST_F(ClientTest, TakesALateAnswerOfAnEarlierAttempt) {
  n1().replies = {Reply::silent};
  n2().afterwards = Reply::silent;
  n3().afterwards = Reply::silent;
  auto result = world.run(client->bid(order(5)));  // The third attempt is at the head again.
  EXPECT_TRUE(result.outcome().isSuccess());
}

TEST_F(ClientTest, SaysOutcomeUnknownIfAnAttemptWasNeverAnswered) {
  for (auto& [address, script]: world.scripts) script.afterwards = Reply::unavailable;
  n1().replies = {Reply::silent};
  auto time = timed([&]() {
    auto result = world.run(client->bid(order(120)));
    EXPECT_TRUE(isException(result, Reason::OUTCOME_UNKNOWN));
    EXPECT_EQ(kj::str(KJ_ASSERT_NONNULL(result.request)), "100-1");
  });
  EXPECT_EQ(time, 5 * kj::SECONDS);
}

TEST_F(ClientTest, SaysOutcomeUnknownIfANodeSaidSo) {
  for (auto& [address, script]: world.scripts) script.afterwards = Reply::unavailable;
  n1().replies = {Reply::outcomeUnknown};
  EXPECT_TRUE(isException(world.run(client->bid(order(120))), Reason::OUTCOME_UNKNOWN));
}

TEST_F(ClientTest, DoesNotTakeAMasterForANodeThatKeptSilent) {
  world.startMaster("m:1", CHAIN);
  for (auto& [address, script]: world.scripts) script.afterwards = Reply::unavailable;
  auto other = world.client("m:1");
  EXPECT_TRUE(isException(world.run(other->bid(order(120))), Reason::UNAVAILABLE));
}

TEST_F(ClientTest, SaysUnavailableIfEveryAttemptWasRefused) {
  for (auto& [address, script]: world.scripts) script.afterwards = Reply::unavailable;
  EXPECT_TRUE(isException(world.run(client->bid(order(120))), Reason::UNAVAILABLE));
  EXPECT_GT(n1().seen.size(), 5u);
  EXPECT_LT(n1().seen.size(), 100u) << "retries must back off";
}

TEST_F(ClientTest, KeepsARequestOfUnknownOutcomeIncomplete) {
  for (auto& [address, script]: world.scripts) script.afterwards = Reply::silent;
  EXPECT_TRUE(isException(world.run(client->bid(order(1))), Reason::OUTCOME_UNKNOWN));
  for (auto& [address, script]: world.scripts) script.afterwards = Reply::success;
  EXPECT_TRUE(world.run(client->bid(order(2))).outcome().isSuccess());
  EXPECT_TRUE(world.run(client->bid(order(3))).outcome().isSuccess());
  EXPECT_EQ(n1().seen.back().sequence, 3u);
  EXPECT_EQ(n1().seen.back().lowestIncomplete, 1u);

  // It asks for it with its own id.
  auto again = world.run(client->bid(order(1), RequestId{100, 1}));
  EXPECT_TRUE(again.outcome().isSuccess());
  EXPECT_EQ(n1().seen.back().sequence, 1u);
  EXPECT_EQ(n1().seen.back().lowestIncomplete, 0u);
}

TEST_F(ClientTest, UsesAGivenIdWithoutOpeningASession) {
  auto result = world.run(client->bid(order(120), RequestId{17, 4}));
  EXPECT_TRUE(result.outcome().isSuccess());
  EXPECT_EQ(n1().sessionsOpened, 0u);
  EXPECT_EQ(n1().seen[0].session, 17u);
  EXPECT_EQ(n1().seen[0].sequence, 4u);
}

TEST_F(ClientTest, NeverCallsARetriedRequestCertainlyNotApplied) {
  for (auto& [address, script]: world.scripts) script.afterwards = Reply::unavailable;
  EXPECT_TRUE(
      isException(world.run(client->bid(order(1), RequestId{17, 4})), Reason::OUTCOME_UNKNOWN));
  n1().afterwards = Reply::sessionExpired;
  EXPECT_TRUE(
      isException(world.run(client->bid(order(1), RequestId{17, 4})), Reason::OUTCOME_UNKNOWN));
}

TEST_F(ClientTest, RunsARequestAnewWhenItsSessionWasGone) {
  n1().replies = {Reply::sessionExpired};
  auto result = world.run(client->bid(order(120)));
  EXPECT_TRUE(result.outcome().isSuccess());
  ASSERT_EQ(n1().seen.size(), 2u);
  EXPECT_EQ(n1().seen[1].session, 200u);
  EXPECT_EQ(n1().seen[1].sequence, 1u);
}

TEST_F(ClientTest, DoesNotRunARequestAnewAfterAnUnansweredAttempt) {
  n1().replies = {Reply::loseReply, Reply::sessionExpired};
  n2().afterwards = Reply::sessionExpired;
  n3().afterwards = Reply::sessionExpired;
  auto result = world.run(client->bid(order(120)));
  EXPECT_TRUE(isException(result, Reason::OUTCOME_UNKNOWN));
  EXPECT_EQ(n1().sessionsOpened, 1u);
}

TEST_F(ClientTest, GivesUpOnSessionsThatNeverHold) {
  n1().afterwards = Reply::sessionExpired;
  auto time = timed([&]() {
    EXPECT_TRUE(isException(world.run(client->bid(order(120))), Reason::SESSION_EXPIRED));
  });
  EXPECT_LT(time, 1 * kj::SECONDS);
  EXPECT_LT(n1().sessionsOpened, 10u);
}

TEST_F(ClientTest, RetriesOnlyTheUndecidedOfAList) {
  n1().replies = {Reply::success, Reply::unavailable, Reply::tooLow};
  BidOrder orders[] = {order(10), order(20), order(5)};
  auto results = world.run(client->bids(orders));
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(results[0].outcome().isSuccess());
  EXPECT_TRUE(results[1].outcome().isSuccess());
  EXPECT_TRUE(results[2].outcome().isFail());
  std::size_t seen = 0;
  for (auto& [address, script]: world.scripts) {
    seen += script.seen.size();
    if (script.seen.size() % 3 == 1) {
      EXPECT_EQ(script.seen.back().amount, 20);
    }
  }
  EXPECT_EQ(seen, 4u);
}

TEST_F(ClientTest, RetriesQueries) {
  n3().queryAvailable = {false, false};
  n1().queryAvailable = {false, false};
  n2().queryAvailable = {false, false};
  EXPECT_TRUE(world.run(client->result("lamp")).get().isAuction());
}

TEST_F(ClientTest, SaysSoWhenNobodyAnswersAQuery) {
  for (auto& member: CHAIN) world.kill(member.address);
  auto answer = world.run(client->result("lamp"));
  ASSERT_TRUE(answer.get().isFailure());
  kj::StringPtr detail = answer.get().getFailure().getDetail();
  EXPECT_NE(std::string(detail.cStr()).find("n2:1: Connection refused"), std::string::npos)
      << detail.cStr();
}

TEST_F(ClientTest, IsUnavailableIfNoNodeWasEverReached) {
  for (auto& member: CHAIN) world.kill(member.address);
  auto result = world.run(client->bid(order(1)));
  EXPECT_TRUE(isException(result, Reason::UNAVAILABLE));
  EXPECT_TRUE(result.request == nullptr);
}

TEST_F(ClientTest, WaitsForAChainToForm) {
  for (auto& [address, script]: world.scripts) {
    script.epoch = 0;
    script.members.clear();
  }
  auto pending = client->bid(order(1));
  EXPECT_FALSE(pending.poll(world.waitScope));
  world.pass(1 * kj::SECONDS);
  relink(CHAIN);
  EXPECT_TRUE(world.run(kj::mv(pending)).outcome().isSuccess());
}

TEST_F(ClientTest, IsNotDelayedByAPausedSeed) {
  world.pause("n9:1");
  auto other = world.client("n9:1", "n2:1");
  auto time = timed([&]() { EXPECT_TRUE(world.run(other->bid(order(1))).outcome().isSuccess()); });
  EXPECT_LT(time, 50 * kj::MILLISECONDS);
}

TEST_F(ClientTest, EndsInTimeOnAPausedServer) {
  world.pause("n9:1");
  auto other = world.client("n9:1");
  auto time = timed(
      [&]() { EXPECT_TRUE(isException(world.run(other->bid(order(1))), Reason::UNAVAILABLE)); });
  EXPECT_EQ(time, 5 * kj::SECONDS);
  EXPECT_LT(world.paused.size(), 40u) << "a paused server must not gather connections";
}

TEST_F(ClientTest, SurvivesAGarbageServer) {
  std::vector<kj::Own<kj::AsyncIoStream>> open;
  std::vector<kj::Promise<void>> writes;
  static constexpr char GARBAGE[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
  world.network.listeners["web:80"] = [&](kj::Own<kj::AsyncIoStream> stream) {
    writes.push_back(stream->write(GARBAGE, sizeof(GARBAGE) - 1).eagerlyEvaluate([](auto&&) {}));
    open.push_back(kj::mv(stream));
  };
  auto other = world.client("web:80");
  EXPECT_TRUE(isException(world.run(other->bid(order(1))), Reason::UNAVAILABLE));
  auto both = world.client("web:80", "n3:1");
  EXPECT_TRUE(world.run(both->bid(order(1))).outcome().isSuccess());
  other = nullptr;
  both = nullptr;
}

TEST_F(ClientTest, IgnoresAnotherCluster) {
  world.run(client->bid(order(1)));
  world.start("x:1", {{"x", "x:1"}}).clusterId = 5;
  world.scripts["x:1"].epoch = 1000;
  auto both = world.client("n2:1", "x:1");
  // The first one counts, and nothing is taken from the other one later.
  world.run(both->locator().refresh());
  auto first = KJ_ASSERT_NONNULL(both->locator().configuration()).getClusterId();
  for (int i = 0; i < 3; ++i) {
    world.run(both->locator().refresh());
    world.pass(100 * kj::MILLISECONDS);
    EXPECT_EQ(KJ_ASSERT_NONNULL(both->locator().configuration()).getClusterId(), first);
  }
}

TEST_F(ClientTest, MayBeDestroyedBeforeItsCalls) {
  n1().afterwards = Reply::silent;
  auto pending = client->bid(order(1));
  EXPECT_FALSE(pending.poll(world.waitScope));
  client = nullptr;
  EXPECT_TRUE(pending.poll(world.waitScope));
  EXPECT_ANY_THROW(pending.wait(world.waitScope));
}

TEST_F(ClientTest, KeepsTheOutcomeOfADroppedCallAskable) {
  n1().replies = {Reply::silent};
  {
    auto dropped = client->bid(order(1));
    EXPECT_FALSE(dropped.poll(world.waitScope));
  }
  EXPECT_TRUE(world.run(client->bid(order(2))).outcome().isSuccess());
  EXPECT_EQ(n1().seen.back().lowestIncomplete, 1u);
}

TEST(RequestId, IsReadAsItIsWritten) {
  auto id = KJ_ASSERT_NONNULL(parseRequestId("18446744073709551615-7"));
  EXPECT_EQ(id.session, 18446744073709551615u);
  EXPECT_EQ(kj::str(id), "18446744073709551615-7");
  for (auto text: {"", "7", "7-", "-7", "7-x", "7-1 ", "0-1", "1-0", "18446744073709551616-1"}) {
    EXPECT_TRUE(parseRequestId(text) == nullptr) << text;
  }
}

TEST(Session, IsLeftWhenItGrewTooLong) {
  auto session = kj::refcounted<Session>(1);
  Ticket pinned(*session);
  for (int i = 0; i < 9000; ++i) Ticket done(*session);
  EXPECT_EQ(session->lowestIncomplete(), 1u);
  EXPECT_FALSE(session->usable());
}

}  // namespace
}  // namespace gavel::client::testing
