#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/reachable.h"
#include "tests/master/world.h"

// Which nodes are let in, what is said of the others, and which are forgotten.
namespace gavel::master {
namespace {

using Standing = schema::NodeEntry::Standing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Registration: public ::testing::Test {
protected:
  ~Registration() noexcept override = default;

  World world;

  std::vector<Master::KnownNode> all(const std::string& name) {
    std::vector<Master::KnownNode> found;
    for (auto& node: world.master->nodes()) {
      if (node.member.name == name) found.push_back(node);
    }
    return found;
  }
  // The only node with that name.
  Master::KnownNode one(const std::string& name) {
    auto found = all(name);
    KJ_REQUIRE(found.size() == 1, "not once", name.c_str(), found.size());
    return found.front();
  }
  FakeNode& startSpare(const std::string& name) {
    auto& node = world.startNode(name);
    world.runUntil([&]() { return node.registrations == 1; });
    return node;
  }
  std::string forget(const std::string& name) {
    auto client = world.client();
    auto request = client.forgetRequest();
    request.setNode(name.c_str());
    auto response = world.wait(request.send());
    auto result = response.getResult();
    return result.isDone() ? std::string("done: ") + result.getDone().cStr()
                           : std::string("refused: ") + result.getRefused().cStr();
  }
};

TEST_F(Registration, NodeHasToAnswerAtItsAddress) {
  world.startChain(2);
  auto& n3 = world.makeNode("n3");
  // At the address nobody listens, or another process does, or nobody answers.
  struct Case {
    std::string address;
    const char* words;
  };
  world.network.endpoints["silent:1"] = {Reaction::silent};
  world.network.endpoints["closing:1"] = {Reaction::close};
  for (auto& [wrong, words]: {Case{"n3:9", "nothing listens there"},
                              Case{world.nodes[0]->address, "another process answers there"},
                              Case{"silent:1", "nobody answers there"},
                              Case{"closing:1", "connections to it do not last"}}) {
    n3.advertised = wrong;
    n3.start();
    world.runUntil([&]() { return n3.notNow != ""; });
    EXPECT_THAT(n3.notNow,
                AllOf(HasSubstr("n3 is not found at the address it advertises, " + wrong),
                      HasSubstr(words)));
    EXPECT_EQ(n3.registrations, 0u);
    auto shown = one("n3");
    EXPECT_EQ(shown.standing, Standing::REFUSED);
    EXPECT_EQ(shown.note, "refused: " + n3.notNow);
    n3.kill();
    n3.notNow = "";
  }
}

TEST_F(Registration, NodeIsLetInOnceItAnswersThere) {
  world.startChain(2);
  auto& n3 = world.makeNode("n3");
  n3.start();
  auto endpoint = world.network.endpoints[n3.address];
  world.network.endpoints.erase(n3.address);
  world.runUntil([&]() { return n3.notNow != ""; });
  world.network.endpoints[n3.address] = endpoint;
  world.runUntil([&]() { return n3.registrations == 1; });
  EXPECT_EQ(n3.refusal, "") << "not for good";
  world.runUntil([&]() { return one("n3").standing == Standing::SPARE; });
  EXPECT_EQ(one("n3").note, "spare: the chain has its length of 2");
}

TEST_F(Registration, MemberIsNotTurnedAwayBecauseTheMasterCannotReachIt) {
  world.startChain(2);
  auto& n2 = *world.nodes[1];
  world.killMaster();
  world.network.endpoints[n2.address].reaction = Reaction::silent;
  world.startMaster();
  world.runUntil([&]() { return n2.registrations == 2; });
  EXPECT_EQ(world.members(), "n1 > n2");
}

TEST(NamesNoPlace, KnowsAddressesThatOneCanOnlyListenOn) {
  for (auto* address: {"0.0.0.0:7401", ":::7401", "[::]:7401", "*:7401", "0:7401", "n1:0",
                       "127.0.0.1:0", "[0:0:0:0:0:0:0:0]:1", ":7401"}) {
    EXPECT_TRUE(namesNoPlace(address)) << address;
  }
  for (auto* address: {"127.0.0.1:7401", "[::1]:7401", "n1:7400", "10.0.0.0:1", "unix:/run/x"}) {
    EXPECT_FALSE(namesNoPlace(address)) << address;
  }
}

TEST_F(Registration, AddressThatNamesNoPlaceIsRefusedForGood) {
  world.startChain(2);
  auto& n3 = world.makeNode("n3");
  n3.advertised = "0.0.0.0:7403";
  n3.start();
  world.runUntil([&]() { return n3.refusal != ""; });
  EXPECT_THAT(n3.refusal, AllOf(HasSubstr("n3 advertises 0.0.0.0:7403, where nobody else"),
                                HasSubstr("--advertise HOST:PORT")));
  EXPECT_EQ(one("n3").standing, Standing::REFUSED);
}

TEST_F(Registration, RefusalOfANewProcessIsToldOfTheNodeThatIsMissed) {
  world.startChain(2);
  auto refused = [&](FakeNode& old) {
    auto& successor = world.makeSuccessor(old);
    successor.skew = 60'000'000'000;
    successor.start();
    world.runUntil([&]() { return successor.notNow != ""; });
  };
  refused(*world.nodes[1]);
  world.runUntil([&]() { return world.members() == "n1"; });
  EXPECT_EQ(one("n2").standing, Standing::REFUSED);
  EXPECT_THAT(one("n2").note,
              AllOf(StartsWith("refused: the clock of node n2 says"), HasSubstr("1m ahead")))
      << "not: start it again";
  // The last one stays a member in any case.
  refused(*world.nodes[0]);
  EXPECT_EQ(one("n1").standing, Standing::MEMBER);
  EXPECT_THAT(one("n1").note,
              AllOf(StartsWith("refused: the clock of node n1 says"), HasSubstr("1m ahead")));
}

TEST_F(Registration, ProcessesThatWereFollowedByOthersAreForgotten) {
  world.startChain(3);
  auto& n3 = *world.nodes[2];
  // The paused master meets the new process first, while the old one is still a member.
  auto& successor = world.makeSuccessor(n3);
  world.sleep(10 * kj::SECONDS);
  successor.start();
  world.runUntil([&]() {
    auto* member = world.master->current().find(successor.incarnation);
    return member != nullptr && member->serving;
  });
  EXPECT_EQ(one("n3").member.incarnation, successor.incarnation);
  // A node whose disk was replaced is not listed twice either.
  successor.kill();
  world.runUntil([&]() { return world.members() == "n1 > n2"; });
  EXPECT_EQ(one("n3").standing, Standing::GONE);
  auto& replaced = world.startNode("n3");
  world.runUntil([&]() { return world.master->current().contains(replaced.incarnation); });
  EXPECT_EQ(one("n3").member.incarnation, replaced.incarnation);
}

TEST_F(Registration, NodeThatIsGoneIsShownUntilItIsForgotten) {
  world.startChain(2);
  auto& n3 = startSpare("n3");
  EXPECT_THAT(forget("n3"), HasSubstr("refused: n3 is heard: stop it first"));
  EXPECT_THAT(forget("n1"), HasSubstr("refused: n1 is a member"));
  EXPECT_THAT(forget("n9"), HasSubstr("refused: no node called n9 is known"));
  n3.kill();
  world.runUntil([&]() { return one("n3").standing == Standing::GONE; });
  EXPECT_THAT(one("n3").note, HasSubstr("gavel chain forget n3"));
  EXPECT_THAT(forget("n3"), StartsWith("done: n3 is forgotten"));
  EXPECT_TRUE(all("n3").empty());
  EXPECT_EQ(world.epoch(), 1u);
}

TEST_F(Registration, ForgettingTakesANameFromTheDrained) {
  world.startChain(3);
  auto client = world.client();
  auto drain = client.drainRequest();
  drain.setNode("n3");
  ASSERT_TRUE(world.wait(drain.send()).getResult().isDone());
  world.nodes[2]->kill();
  world.runUntil([&]() { return one("n3").lastHeard > 2'000'000'000; });
  EXPECT_EQ(one("n3").standing, Standing::DRAINED);
  EXPECT_THAT(forget("n3"), StartsWith("done: "));
  auto& again = world.startNode("n3");
  world.runUntil([&]() { return world.master->current().contains(again.incarnation); });
}

TEST_F(Registration, RefusedNodeIsForgottenOnOrder) {
  world.startChain(2);
  auto& n3 = world.makeNode("n3");
  n3.advertised = "0.0.0.0:7403";
  n3.start();
  world.runUntil([&]() { return n3.refusal != ""; });
  EXPECT_THAT(forget("n3"), StartsWith("done: "));
  EXPECT_TRUE(all("n3").empty());
}

TEST_F(Registration, NobodyIsCalledASpareWhileItIsNotKnownWhetherTheChainGoesOn) {
  world.startChain(2);
  world.killMaster();
  auto& n1 = *world.nodes[0];
  auto& successor = world.makeSuccessor(n1);
  world.nodes[1]->kill();
  world.startMaster();
  successor.start();
  world.runUntil([&]() { return successor.registrations == 1; });
  auto all = this->all("n1");
  auto shown = std::find_if(all.begin(), all.end(), [&](auto& node) {
    return node.member.incarnation == successor.incarnation;
  });
  ASSERT_NE(shown, all.end());
  EXPECT_EQ(shown->standing, Standing::WAITING);
  EXPECT_THAT(shown->note, AllOf(HasSubstr("n1, n2"), ::testing::Not(HasSubstr("spare"))));
}

TEST_F(Registration, MemberThatHasTakenItsPlaceIsNotSaidToWait) {
  world.startChain(2);
  auto client = world.client();
  auto response = world.wait(client.nodesRequest().send());
  auto nodes = response.getNodes();
  ASSERT_EQ(nodes.size(), 2u);
  // Fake nodes report in each heartbeat that they wait.
  EXPECT_EQ(nodes[0].getStatus().getRole(), schema::NodeStatus::Role::HEAD);
  EXPECT_EQ(nodes[1].getStatus().getRole(), schema::NodeStatus::Role::TAIL);
  EXPECT_EQ(nodes[1].getStatus().getEpoch(), 1u);
}

}  // namespace
}  // namespace gavel::master
