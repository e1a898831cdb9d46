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
  world.runUntil(chainIs("n1 n2 n3"));
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

}  // namespace
}  // namespace gavel::master
