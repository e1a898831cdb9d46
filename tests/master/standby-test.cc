#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "master/ledger.h"
#include "master/master.h"
#include "tests/master/fixture.h"

// Two masters on one store.  A ledger of its own plays the other one.
namespace gavel::master {
namespace {

using ::testing::HasSubstr;

class StandbyTest: public MasterTest {
protected:
  ~StandbyTest() noexcept override = default;

  // Another master stores a configuration without the tail, in the turn in which this ends.
  void letAnotherMasterRemoveTheTail() {
    auto ledger = Ledger::open(*world.store).wait(world.waitScope);
    auto next = ledger->current();
    ++next.epoch;
    next.cause = "by another master";
    next.members.pop_back();
    world.wait(ledger->replace(ledger->document().with(next)));
    world.runUntil(atEpoch(next.epoch));
  }
  bool connected(const FakeNode& node) {
    for (auto& known: world.master->nodes()) {
      if (known.member.incarnation == node.incarnation) {
        return known.node != nullptr && known.node->session != 0;
      }
    }
    return false;
  }
};

TEST_F(StandbyTest, SendsItsNodesAwayForAWhile) {
  world.startChain(3);
  world.runFor(1 * kj::SECONDS);  // Time for the duration to be stored.
  letAnotherMasterRemoveTheTail();
  EXPECT_EQ(world.master->notice(), "another master leads: this one stands by for a moment.");
  for (auto& each: world.nodes) EXPECT_FALSE(connected(*each)) << each->name;

  // They learn it, and are refused.
  auto before = node(1).registrations;
  world.runFor(900 * MS);
  EXPECT_EQ(node(1).registrations, before);
  for (auto& each: world.nodes) EXPECT_FALSE(connected(*each)) << each->name;

  auto longest = 2 * world.settings.suspectAfter - 900 * MS;
  world.runUntil([this]() { return connected(node(1)) && connected(node(2)); }, longest + 100 * MS);
  world.runUntil(chainIs("n1 > n2 > n3"));
  checkHistory();
}

TEST_F(StandbyTest, DecidesNothingMeanwhile) {
  world.startChain(3);
  world.runFor(1 * kj::SECONDS);
  letAnotherMasterRemoveTheTail();
  node(2).kill();
  world.runFor(900 * MS);
  EXPECT_EQ(world.epoch(), 2u);
  // The master learns it afterwards, though that node has never registered since.
  world.runUntil([this]() { return world.epoch() >= 3; });
  auto relink = world.master->relinks()[2].configuration;
  EXPECT_EQ(relink.describe(), "n1");
  EXPECT_THAT(relink.cause, HasSubstr("n2 lost"));
  checkHistory();
}

TEST_F(StandbyTest, LeavesOrdersForAfterwards) {
  world.startChain(3);
  world.runFor(1 * kj::SECONDS);
  letAnotherMasterRemoveTheTail();
  auto client = world.client();
  auto request = client.drainRequest();
  request.setNode("n3");
  auto answer = world.wait(request.send());
  EXPECT_TRUE(answer.getResult().isDone());
  EXPECT_EQ(world.master->notice().find("stands by"), std::string::npos);
}

// Otherwise nodes that come to it when the leading master has ended would have to wait.
TEST_F(StandbyTest, TakesNodesAtOnceIfItHadNone) {
  world.startChain(3);
  world.runFor(1 * kj::SECONDS);
  world.killMaster();
  world.startMaster();
  letAnotherMasterRemoveTheTail();
  EXPECT_EQ(world.master->notice().find("stands by"), std::string::npos);
  world.runUntil([this]() { return connected(node(1)) && connected(node(2)); }, 50 * MS);
}

// -- nodes that are split between masters, while neither changes anything

// A node that has registered with another master: this one can only ask at its address.
class SplitTest: public StandbyTest {
protected:
  ~SplitTest() noexcept override = default;

  // Another master takes over from the one that has led so far, and gets all nodes but `elsewhere`.
  void startAnotherMasterWithout(FakeNode& elsewhere) {
    elsewhere.reconnects = false;
    world.killMaster();
    world.startMaster();
  }
  void cutOff(FakeNode& node, bool off) {
    auto reaction = off ? Reaction::silent : Reaction::serve;
    world.network.endpoints[node.address].reaction = reaction;
  }
  bool sees(std::string part) { return world.master->notice().find(part) != std::string::npos; }
};

// The other master hears the last member and nobody who could join, this one all who could.  It
// could not reach that member when it had started, but can later.
TEST_F(SplitTest, LetsNodesJoinALastMemberThatItHadLost) {
  world.startChain(1);
  world.settings.replicas = 2;
  cutOff(node(1), true);
  startAnotherMasterWithout(node(1));
  world.startNode("n2");
  world.runUntil([this]() { return sees("no serving member of epoch 1 runs"); });
  world.runFor(3 * kj::SECONDS);
  cutOff(node(1), false);
  EXPECT_LE(world.runUntil(chainIs("n1 > n2 (syncing)")), 2 * world.settings.suspectAfter);
  EXPECT_FALSE(sees("total outage"));
  checkHistory();
}

// Likewise where it had a connection, which nobody has closed.
TEST_F(SplitTest, LetsNodesJoinALastMemberThatHasFallenSilent) {
  world.startChain(1);
  world.settings.replicas = 2;
  world.killMaster();
  world.startMaster();
  world.runUntil([this]() { return connected(node(1)); });
  node(1).mute = true;  // Its heartbeats go to the other master.
  cutOff(node(1), true);
  world.runUntil([this]() { return sees("no serving member of epoch 1 runs"); });
  cutOff(node(1), false);
  world.startNode("n2");
  EXPECT_LE(world.runUntil(chainIs("n1 > n2 (syncing)")), 3 * world.settings.suspectAfter);
  checkHistory();
}

// A cut of all members heals.  The first one that answers does not have the others removed, whose
// answers are on their way.
TEST_F(SplitTest, RemovesNobodyWhileOthersAreAskedAgain) {
  world.startChain(3);
  for (auto& each: world.nodes) each->reconnects = false;
  world.killMaster();
  for (auto& each: world.nodes) each->paused = true;
  world.startMaster();
  world.runUntil([this]() { return sees("no serving member of epoch 1 runs"); });
  world.runFor(3 * kj::SECONDS);
  for (unsigned i: {3, 1, 2}) {
    node(i).paused = false;
    world.runFor(2 * MS);
  }
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1 > n2 > n3");
  EXPECT_EQ(world.epoch(), 1u);
  checkHistory();
}

// Nobody is sent away, and nothing is begun anew, however long it lasts.
TEST_F(SplitTest, AwaitsTheLastMemberOfATotalOutageAllTheSame) {
  world.startChain(2);
  auto& spare = world.startNode("n3");
  world.runUntil([&]() { return connected(spare); });
  node(1).kill();
  world.runUntil([this]() { return world.members() == "n2 > n3"; });
  node(2).kill();
  spare.kill();
  auto& waiting = world.restart(node(1));
  world.runFor(30 * kj::SECONDS);
  EXPECT_TRUE(sees("total outage"));
  EXPECT_EQ(waiting.registrations, 1u);
  EXPECT_EQ(world.members(), "n2 > n3");
  world.restart(node(2));
  auto took = world.runUntil(chainIs("n2 > n1"));
  EXPECT_GE(took, world.settings.outageWait);
  EXPECT_LE(took, world.settings.outageWait + 100 * MS);
  checkHistory();
}

}  // namespace
}  // namespace gavel::master
