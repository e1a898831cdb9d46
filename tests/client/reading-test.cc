#include <gtest/gtest.h>

#include "tests/client/world.h"

// The nodes at which the client library reads.
namespace gavel::client::testing {
namespace {

const std::vector<MemberPlan> CHAIN = {{"n1", "n1:1"}, {"n2", "n2:1"}, {"n3", "n3:1"}};

// Three nodes, all up, and clients that know only the middle one.
class ReadingTest: public ::testing::Test {
public:
  ReadingTest() {
    for (auto& member: CHAIN) world.start(member.address, CHAIN);
  }
  ~ReadingTest() noexcept override = default;

  World world;

  kj::Own<Client> spreading() {
    Client::Limits limits;
    limits.readFrom = ReadFrom::anyNode;
    return world.clientWith(limits, "n2:1");
  }

  void relink(std::vector<MemberPlan> members) {
    for (auto& [address, script]: world.scripts) {
      script.epoch++;
      script.members = members;
    }
  }

  // The queries that arrived at each node that was ever started, in the order of addresses.
  std::vector<unsigned> counts() {
    std::vector<unsigned> result;
    for (auto& [address, script]: world.scripts) result.push_back(script.queries);
    return result;
  }
  using Counts = std::vector<unsigned>;

  // Returns how long the queries took, one after the other.
  kj::Duration query(Client& client, int times) {
    auto begin = world.timer.now();
    for (int i = 0; i < times; ++i) {
      EXPECT_TRUE(world.run(client.result("lamp")).get().isAuction()) << "query " << i;
    }
    return world.timer.now() - begin;
  }

  std::string failureAt(Client& client, kj::StringPtr node) {
    auto answer = world.run(client.result("lamp", node));
    if (!answer.get().isFailure()) return "an answer";
    EXPECT_EQ(answer.get().getFailure().getReason(), schema::QueryFailure::Reason::UNAVAILABLE);
    return answer.get().getFailure().getDetail().cStr();
  }
};

// ---------------------------------------------------------------------------------------------------
// Spread over all nodes

TEST_F(ReadingTest, SpreadsQueriesEvenlyOverAllMembers) {
  auto client = spreading();
  query(*client, 30);
  EXPECT_EQ(counts(), (Counts{10, 10, 10}));
}

TEST_F(ReadingTest, SpreadsConcurrentQueries) {
  auto client = spreading();
  std::vector<kj::Promise<Answer>> pending;
  for (int i = 0; i < 30; ++i) pending.push_back(client->result("lamp"));
  for (auto& promise: pending) EXPECT_TRUE(world.run(kj::mv(promise)).get().isAuction());
  EXPECT_EQ(counts(), (Counts{10, 10, 10}));
}

TEST_F(ReadingTest, SpreadsEveryKindOfQuery) {
  auto client = spreading();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(world.run(client->show("lamp")).get().isAuction());
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(world.run(client->list(0, 10)).get().hasFailure());
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(world.run(client->history("lamp", 1, 10)).get().hasFailure());
  }
  EXPECT_EQ(counts(), (Counts{3, 3, 3}));
}

TEST_F(ReadingTest, BeginsAnywhere) {
  for (int i = 0; i < 60; ++i) query(*spreading(), 1);
  for (auto count: counts()) EXPECT_GT(count, 5u);
}

TEST_F(ReadingTest, LeavesOutWhoIsSyncing) {
  auto members = CHAIN;
  members.push_back({"n4", "n4:1", true});
  world.start("n4:1", members);
  relink(members);
  auto client = spreading();
  query(*client, 30);
  EXPECT_EQ(counts(), (Counts{10, 10, 10, 0}));
}

TEST_F(ReadingTest, SkipsADeadNode) {
  auto client = spreading();
  query(*client, 3);
  world.kill("n3:1");
  auto time = query(*client, 30);
  EXPECT_LT(time, 100 * kj::MILLISECONDS) << "only one query may run into it";
  EXPECT_EQ(counts()[2], 1u);
  EXPECT_GE(counts()[0], 14u);
  EXPECT_GE(counts()[1], 14u);
}

TEST_F(ReadingTest, SkipsASilentNode) {
  world.pause("n3:1");
  auto client = spreading();
  auto time = query(*client, 30);
  EXPECT_LT(time, 1500 * kj::MILLISECONDS) << "only one query may wait for it";
  EXPECT_EQ(counts()[0] + counts()[1], 30u);
}

TEST_F(ReadingTest, GoesOnToTheNextNodeWhereOneIsUnavailable) {
  auto client = spreading();
  world.scripts["n1:1"].queryAvailable.assign(10, false);
  auto time = query(*client, 30);
  EXPECT_LT(time, 1 * kj::SECONDS);
  EXPECT_EQ(counts()[0] + counts()[1] + counts()[2], 40u);
}

TEST_F(ReadingTest, ReadsAgainAtANodeThatIsBack) {
  auto client = spreading();
  world.kill("n3:1");
  query(*client, 10);
  EXPECT_EQ(counts()[2], 0u);
  world.start("n3:1", CHAIN);
  world.pass(2 * kj::SECONDS);
  query(*client, 1);
  world.pass(100 * kj::MILLISECONDS);
  query(*client, 30);
  EXPECT_EQ(counts()[2], 10u);
}

TEST_F(ReadingTest, ReadsAtANewMemberAlthoughNothingFailed) {
  auto client = spreading();
  query(*client, 3);
  auto members = CHAIN;
  members.push_back({"n4", "n4:1"});
  world.start("n4:1", members);
  relink(members);
  world.pass(2 * kj::SECONDS);
  query(*client, 1);
  world.pass(100 * kj::MILLISECONDS);
  query(*client, 40);
  EXPECT_EQ(counts()[3], 10u);
}

TEST_F(ReadingTest, SaysSoWhenNobodyAnswersASpreadQuery) {
  auto client = spreading();
  query(*client, 1);
  for (auto& member: CHAIN) world.kill(member.address);
  auto answer = world.run(client->result("lamp"));
  ASSERT_TRUE(answer.get().isFailure());
  EXPECT_EQ(std::string(answer.get().getFailure().getDetail().cStr()),
            "no outcome within 5s; last: Connection refused");
}

// ---------------------------------------------------------------------------------------------------
// At one node

TEST_F(ReadingTest, AsksTheNamedNode) {
  auto client = world.client("n2:1");
  EXPECT_TRUE(world.run(client->result("lamp", "n1")).get().isAuction());
  EXPECT_TRUE(world.run(client->show("lamp", "n1")).get().isAuction());
  EXPECT_FALSE(world.run(client->list(0, 10, "n1:1")).get().hasFailure());
  EXPECT_FALSE(world.run(client->history("lamp", 1, 10, "n1:1")).get().hasFailure());
  EXPECT_EQ(counts(), (Counts{4, 0, 0}));
}

TEST_F(ReadingTest, RetriesAtThatNodeOnly) {
  world.scripts["n1:1"].queryAvailable = {false, false, false};
  auto client = world.client("n2:1");
  EXPECT_TRUE(world.run(client->result("lamp", "n1")).get().isAuction());
  EXPECT_EQ(counts(), (Counts{4, 0, 0}));

  world.scripts["n1:1"].queryAvailable.assign(1000, false);
  EXPECT_EQ(failureAt(*client, "n1"), "n1 gave no answer within 5s; last: not now");
  EXPECT_EQ(counts()[1] + counts()[2], 0u);
}

TEST_F(ReadingTest, SaysThatTheNodeIsNotReached) {
  world.kill("n1:1");
  auto client = world.client("n2:1");
  EXPECT_EQ(failureAt(*client, "n1"), "n1 gave no answer within 5s; last: Connection refused");
  EXPECT_EQ(counts(), (Counts{0, 0, 0}));
}

TEST_F(ReadingTest, SaysThatTheNodeIsSilent) {
  world.pause("n1:1");
  auto client = world.client("n2:1");
  EXPECT_EQ(failureAt(*client, "n1"),
            "n1 gave no answer within 5s; last: n1:1 gave no answer in time");
  EXPECT_EQ(counts(), (Counts{0, 0, 0}));
}

TEST_F(ReadingTest, RefusesWhoIsNoServingMember) {
  auto members = CHAIN;
  members.push_back({"n4", "n4:1", true});
  world.start("n4:1", members);
  relink(members);
  auto client = world.client("n2:1");
  auto begin = world.timer.now();
  EXPECT_EQ(failureAt(*client, "n9"), "n9 is not a serving member of the chain: n1, n2, n3");
  EXPECT_EQ(failureAt(*client, "n4"), "n4 is not a serving member of the chain: n1, n2, n3");
  EXPECT_EQ(failureAt(*client, "n9:1"),
            "n9:1 is not a serving member of the chain: n1 (n1:1), n2 (n2:1), n3 (n3:1)");
  EXPECT_LT(world.timer.now() - begin, 200 * kj::MILLISECONDS);
  EXPECT_EQ(counts(), (Counts{0, 0, 0, 0}));
}

TEST_F(ReadingTest, LooksForTheNodeInTheNewestConfiguration) {
  auto client = world.client("n2:1");
  query(*client, 1);
  auto members = CHAIN;
  members.push_back({"n4", "n4:1"});
  world.start("n4:1", members);
  relink(members);
  EXPECT_TRUE(world.run(client->result("lamp", "n4")).get().isAuction());
  EXPECT_EQ(counts(), (Counts{0, 0, 1, 1}));
}

TEST_F(ReadingTest, StopsWaitingForANodeThatWasRemoved) {
  auto client = world.client("n2:1");
  world.kill("n1:1");
  auto pending = client->result("lamp", "n1");
  EXPECT_FALSE(pending.poll(world.waitScope));
  world.pass(1 * kj::SECONDS);
  relink({CHAIN[1], CHAIN[2]});
  auto begin = world.timer.now();
  auto answer = world.run(kj::mv(pending));
  ASSERT_TRUE(answer.get().isFailure());
  EXPECT_EQ(std::string(answer.get().getFailure().getDetail().cStr()),
            "n1 is not a serving member of the chain: n2, n3");
  EXPECT_LT(world.timer.now() - begin, 300 * kj::MILLISECONDS);
}

TEST_F(ReadingTest, WaitsForAChainToFormBeforeItRefusesANode) {
  for (auto& [address, script]: world.scripts) {
    script.epoch = 0;
    script.members.clear();
  }
  auto client = world.client("n2:1");
  auto pending = client->result("lamp", "n1");
  EXPECT_FALSE(pending.poll(world.waitScope));
  world.pass(1 * kj::SECONDS);
  relink(CHAIN);
  EXPECT_TRUE(world.run(kj::mv(pending)).get().isAuction());
  EXPECT_EQ(counts(), (Counts{1, 0, 0}));
}

}  // namespace
}  // namespace gavel::client::testing
