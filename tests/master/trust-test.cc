#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/master/fixture.h"
#include "tests/support/memory-config-store.h"

// The stores and processes that a master trusts (R11).
namespace gavel::master {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TrustTest: public MasterTest {
protected:
  void killAll() {
    for (auto& each: world.nodes) each->kill();
  }
  // Another process, on a copy of the data directory of `original`, which runs on.
  FakeNode& copyOf(FakeNode& original, std::uint64_t last) {
    auto& copy = world.makeNode(original.name, original.storeId);
    copy.clusterId = original.clusterId;
    copy.empty = false;
    copy.generation = original.generation + 1;
    copy.last = last;
    copy.bound = std::min(original.bound, last);
    return copy;
  }
  void tellBound(std::uint64_t index) {
    for (auto& each: world.nodes) each->last = each->bound = index;
    world.runFor(2 * kj::SECONDS);
  }
  std::string recover(const std::string& name) {
    auto request = world.client().recoverRequest();
    request.setNode(name.c_str());
    request.setEpoch(world.epoch());
    auto response = world.wait(request.send());
    auto result = response.getResult();
    return result.isDone() ? std::string("done: ") + result.getDone().cStr()
                           : std::string("refused: ") + result.getRefused().cStr();
  }
};

// -- what is known to be committed

TEST_F(TrustTest, DoesNotGoOnFromACopyThatLacksWhatWasCommitted) {
  world.startChain(3);
  tellBound(40);
  killAll();
  world.killMaster();
  world.startMaster();
  auto& copy = copyOf(node(1), 30);
  copy.start();
  world.runFor(10 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(note("n1"), HasSubstr("its log ends at 30, but 40 is known to be committed"));
  world.restart(node(2));
  world.runUntil([this]() { return world.epoch() > 1; });
  EXPECT_EQ(world.master->relinks()[1].configuration.describe(), "n2");
  checkHistory();
}

TEST_F(TrustTest, GoesByWhatTheOthersKnowWhereItsOwnRecordIsOlder) {
  world.startChain(2);
  killAll();
  world.killMaster();
  world.startMaster();
  copyOf(node(1), 30).start();
  auto& sound = world.makeSuccessor(node(2));
  sound.last = sound.bound = 40;
  sound.adopted.epoch = 1;
  sound.start();
  world.runUntil([this]() { return world.epoch() > 1; });
  EXPECT_EQ(world.master->relinks()[1].configuration.describe(), "n2");
}

TEST_F(TrustTest, AnOrderThatGivesUpLowersTheBoundInItsOwnStep) {
  world.startChain(2);
  tellBound(40);
  killAll();
  auto& less = world.makeSuccessor(node(2));
  less.last = 25;
  less.bound = 0;
  less.start();
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(recover("n2"), HasSubstr("what was acknowledged beyond 25 is given up"));
  auto stored = Document::decode(world.store->get().wait(world.waitScope).document);
  auto& current = stored.current();
  EXPECT_EQ(current.restartedIn, 2u);
  EXPECT_EQ(current.restartedFrom, (Position{1, 25, 25}));
  EXPECT_EQ(stored.bound, (Bound{{1, 25, 25}, 2}));

  // Even if everything is restarted, and a disk has what was known before the order.
  world.killMaster();
  world.startMaster();
  auto& again = world.restart(less);
  again.last = 26;
  world.runUntil(atEpoch(3));
  EXPECT_EQ(world.master->current().restartedIn, 2u) << "repeated until the next order";
  EXPECT_EQ(world.master->current().restartedFrom, (Position{1, 25, 25}));
}

TEST(BoundTest, CountsUntilAnOrderGivesEntriesUp) {
  Bound before{{1, 40, 7}, 3};
  Bound after{{1, 25, 9}, 5};
  EXPECT_EQ(Bound::highest(before, after, 0), before);
  EXPECT_EQ(Bound::highest(before, after, 3), before);
  EXPECT_EQ(Bound::highest(before, after, 4), after);
  EXPECT_EQ(Bound::highest(before, after, 6), Bound());
  EXPECT_TRUE(before.within({1, 40, 7}));
  EXPECT_TRUE(before.within({2, 41, 1}));
  EXPECT_FALSE(before.within({1, 40, 8})) << "another batch";
  EXPECT_FALSE(before.within({9, 39, 7}));
  EXPECT_TRUE(Bound().within({}));
}

// -- copies

TEST_F(TrustTest, ACopyOfALivingMemberDoesNotShutItOut) {
  world.startChain(3);
  tellBound(40);
  auto& copy = copyOf(node(1), 30);
  copy.start();
  world.runUntil([&]() { return !copy.refusal.empty(); }, 1 * kj::SECONDS);
  EXPECT_THAT(copy.refusal, HasSubstr("two processes run on copies of one data directory"));
  EXPECT_THAT(copy.refusal, HasSubstr(copy.address));
  EXPECT_THAT(copy.refusal, HasSubstr("stop the one at " + copy.address));
  EXPECT_THAT(copy.refusal, HasSubstr("keep the one at " + node(1).address));
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(world.master->notice(), HasSubstr("two processes run on copies"));

  // It is not remembered as a start.
  copy.kill();
  auto& again = world.restart(node(1));
  world.runUntil([&]() { return world.master->current().find(again.incarnation) != nullptr; });
}

TEST_F(TrustTest, ACopyOfTheLastMemberDoesNotEither) {
  world.startChain(1);
  auto& copy = copyOf(node(1), 30);
  copy.start();
  world.runFor(10 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(recover("n1"), HasSubstr("refused: "));
}

TEST_F(TrustTest, OfTwoCopiesNoneIsASourceUntilOneEnds) {
  world.startChain(1);
  tellBound(40);
  node(1).kill();
  world.killMaster();
  world.settings.outageWait = 1 * kj::SECONDS;
  world.startMaster();
  // The newer process has all that is known to be committed as well.
  auto& longer = world.makeSuccessor(node(1));
  longer.last = 45;
  auto& copy = copyOf(node(1), 41);
  copy.start();
  longer.start();
  world.runFor(10 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(world.master->notice(), HasSubstr("stop the one at " + copy.address));
  EXPECT_THAT(recover("n1"), HasSubstr("refused: two processes run on copies"));
  copy.kill();
  world.runUntil(atEpoch(2));
  EXPECT_EQ(world.master->current().members[0].incarnation, longer.incarnation);
}

TEST_F(TrustTest, TellsNobodyToEmptyADirectoryThatHoldsTheBound) {
  world.startChain(2);
  tellBound(40);
  auto& old = world.makeNode("n1", node(1).storeId);
  old.clusterId = node(1).clusterId;
  old.empty = false;
  old.generation = 1;
  node(1).kill();
  old.last = 40;
  old.start();
  world.runUntil([&]() { return !old.refusal.empty(); });
  EXPECT_THAT(old.refusal, HasSubstr("so keep it"));
  old.kill();
  auto& older = world.makeNode("n1", node(1).storeId);
  older.clusterId = node(1).clusterId;
  older.empty = false;
  older.last = 20;
  older.start();
  world.runUntil([&]() { return !older.refusal.empty(); });
  EXPECT_THAT(older.refusal, HasSubstr("start the node with an empty directory"));
}

// -- the master's own store

TEST_F(TrustTest, AMasterOnAnOlderStoreDecidesNothing) {
  world.startChain(3);
  auto older = kj::heap<MemoryConfigStore>();
  auto stored = world.store->get().wait(world.waitScope);
  older->compareAndSwap(0, kj::mv(stored.document)).wait(world.waitScope);
  node(3).kill();
  world.runUntil(atEpoch(2));
  world.runUntil([this]() { return world.adoptedBy({&node(1), &node(2)}); });
  world.killMaster();
  world.store = kj::mv(older);
  world.startMaster();
  world.runFor(20 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(world.master->notice(), HasSubstr("acts in epoch 2"));
  EXPECT_THAT(world.master->notice(), HasSubstr("holds only epoch 1"));
  EXPECT_THAT(world.master->notice(), HasSubstr("node n"));
  EXPECT_THAT(recover("n1"), HasSubstr("refused: nothing is decided"));
}

// A member that only answers questions shows its epoch, too.
TEST_F(TrustTest, AsksMembersForTheirEpochBeforeItRemovesAnybody) {
  world.startChain(3);
  auto older = kj::heap<MemoryConfigStore>();
  auto stored = world.store->get().wait(world.waitScope);
  older->compareAndSwap(0, kj::mv(stored.document)).wait(world.waitScope);
  node(3).kill();
  world.runUntil([this]() { return world.epoch() == 2 && world.adoptedBy({&node(1), &node(2)}); });
  node(1).reconnects = node(2).reconnects = false;
  world.killMaster();
  world.store = kj::mv(older);
  world.startMaster();
  world.runFor(20 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(world.master->notice(), HasSubstr("acts in epoch 2"));
}

TEST_F(TrustTest, RemovesNobodyBeforeASilentMemberHadItsTime) {
  world.startChain(3);
  world.killMaster();
  node(2).kill();
  node(3).kill();
  world.network.endpoints[node(3).address] = {Reaction::silent};
  world.startMaster();
  EXPECT_THAT(world.master->notice(), HasSubstr("decides nothing before it has heard"));
  auto time = world.runUntil(atEpoch(2));
  EXPECT_GE(time / MS, 2990);
  EXPECT_EQ(world.members(), "n1");
}

TEST_F(TrustTest, AnEmptyMasterFormsNoSecondChain) {
  world.startChain(1);
  world.killMaster();
  world.store = kj::heap<MemoryConfigStore>();
  world.startMaster();
  world.startNode("n5");
  world.runFor(20 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 0u);
  EXPECT_THAT(world.master->notice(), HasSubstr("node n1 at " + node(1).address));
  EXPECT_THAT(world.master->notice(), HasSubstr("this master has no data"));
  EXPECT_THAT(node(1).refusal, Not(HasSubstr("empty directory")));
}

TEST_F(TrustTest, AnEmptyMasterWaitsBeforeItFormsAChain) {
  world.settings.replicas = 1;
  world.startMaster();
  world.startNode("n1");
  EXPECT_GE(world.runUntil(atEpoch(1)) / MS, 2990);
}

// -- enough copies (R18)

TEST_F(TrustTest, SaysThatTooFewServeAndRefusesOrdersThatLeaveTooFew) {
  world.settings.minMembers = 2;
  world.startChain(3);
  auto request = world.client().drainRequest();
  EXPECT_EQ(world.master->current().minMembers, 2u);
  EXPECT_EQ(world.master->notice(), "");
  node(3).kill();
  world.runUntil(chainIs("n1 > n2"));
  request.setNode("n2");
  auto response = world.wait(request.send());
  EXPECT_THAT(response.getResult().getRefused().cStr(),
              HasSubstr("1 would serve, and bids are taken only while at least 2 do"));
  node(2).kill();
  world.runUntil(chainIs("n1"));
  EXPECT_TRUE(world.master->current().isShort());
  EXPECT_THAT(world.master->notice(), HasSubstr("no bids are taken: 1 of the chain's members"));
  checkHistory();
}

TEST_F(TrustTest, AnotherMinMembersIsAConfigurationOfItsOwn) {
  world.startChain(3);
  world.killMaster();
  world.settings.minMembers = 2;
  world.startMaster();
  world.runUntil(atEpoch(2));
  EXPECT_EQ(cause(), "--min-members is now 2");
  EXPECT_EQ(world.members(), "n1 > n2 > n3");
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 2u);
  checkHistory();
}

}  // namespace
}  // namespace gavel::master
