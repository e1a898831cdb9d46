// Nodes that join a chain (R9), and events meanwhile.

#include "tests/master/fixture.h"

namespace gavel::master {
namespace {

using ::testing::HasSubstr;

class JoinTest: public MasterTest {
protected:
  // n1 and n2 serve, n3 is syncing, in epoch 3; no gate is reported yet.
  FakeNode& startJoin() {
    world.startChain(3);
    for (auto& each: world.nodes) each->gates = false;
    auto& joiner = world.restart(node(3));
    joiner.gates = false;
    world.runUntil([&]() {
      return world.epoch() == 3 && world.adoptedBy({&node(1), &node(2), &joiner});
    });
    EXPECT_EQ(world.members(), "n1 > n2 > n3 (syncing)");
    return joiner;
  }
  void gateFromNowOn() {
    for (auto& each: world.nodes) each->gates = true;
  }
};

TEST_F(JoinTest, BringsASpareInForALostMember) {
  world.startChain(3);
  auto& spare = world.startNode("n4");
  world.runFor(1 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_EQ(note("n4"), "spare: the chain has its length of 3");
  node(2).kill();
  auto time = world.runUntil([&]() { return spare.adopted.joiner() != nullptr; });
  EXPECT_LE(time / MS, 1);
  EXPECT_EQ(cause(), "n4 joins");
  EXPECT_EQ(world.members(), "n1 > n3 > n4 (syncing)");
  world.runUntil(chainIs("n1 > n3 > n4"));
  EXPECT_EQ(cause(), "n4 has joined");
  world.runFor(2 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 4u);
  checkHistory();
}

TEST_F(JoinTest, TakesARestartedNodeBackAtOnce) {
  world.startChain(3);
  auto& again = world.restart(node(1));
  auto time = world.runUntil([&]() { return again.adopted.joiner() != nullptr; });
  // At its first attempt its old address is asked; at the second one that is settled.
  EXPECT_LE(time / MS, 11);
  world.runUntil(chainIs("n2 > n3 > n1"));
  world.runUntil([&]() { return world.adoptedBy({&node(2), &node(3), &again}); });
  checkHistory();
}

TEST_F(JoinTest, FillsAChainToItsLengthOneByOne) {
  world.settings.replicas = 1;
  world.startMaster();
  world.startNode("n1");
  world.runUntil(atEpoch(1));
  world.killMaster();
  world.settings.replicas = 3;
  world.startMaster();
  EXPECT_THAT(world.master->notice(), HasSubstr("1 of 3 members"));
  world.startNode("n3");
  world.startNode("n2");
  world.runUntil([this]() { return world.master->current().servingCount() == 3; });
  world.runFor(1 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 5u);
  EXPECT_EQ(world.master->notice(), "");
  checkHistory();
}

TEST_F(JoinTest, TakesTheNodeThatHasTheLeastToCatchUp) {
  world.startChain(2);
  auto& lagging = world.makeNode("n3");
  lagging.empty = true;
  lagging.last = 0;
  lagging.start();
  auto& former = world.makeNode("n4");
  former.clusterId = world.master->current().clusterId;
  former.empty = false;
  former.last = 8;
  former.start();
  world.runFor(200 * MS);
  node(1).kill();
  world.runUntil(chainIs("n2 > n4"));
}

TEST_F(JoinTest, LetsAMemberServeOnlyByAGateOfThisEpochFromTheTailForThisProcess) {
  auto& joiner = startJoin();
  node(2).gate(2, joiner.incarnation);
  node(2).gate(4, joiner.incarnation);
  node(1).gate(3, joiner.incarnation);
  joiner.gate(3, joiner.incarnation);
  node(2).gate(3, node(3).incarnation);  // That of the earlier process.
  node(2).gate(3, node(1).incarnation);
  world.runFor(3 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 3u);
  node(2).gate(3, joiner.incarnation);
  world.runUntil(chainIs("n1 > n2 > n3"));
  EXPECT_EQ(world.epoch(), 4u);
  checkHistory();
}

TEST_F(JoinTest, ForgetsAGateWithItsEpoch) {
  auto& joiner = startJoin();
  node(1).kill();
  world.runUntil(chainIs("n2 > n3 (syncing)"));
  node(2).gate(3, joiner.incarnation);
  world.runFor(1 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n2 > n3 (syncing)");
  node(2).gate(4, joiner.incarnation);
  world.runUntil(chainIs("n2 > n3"));
  checkHistory();
}

TEST_F(JoinTest, TakesNodesThatAreAliveBackThoughTheyWereTakenForLost) {
  world.startChain(3);
  node(3).paused = true;
  world.runUntil(chainIs("n1 > n2"));
  node(3).paused = false;
  world.runUntil(chainIs("n1 > n2 > n3"));
  EXPECT_EQ(world.master->current().members[2].incarnation, node(3).incarnation);
  checkHistory();
}

TEST_F(JoinTest, NamesNobodyWhoMayNotJoin) {
  world.startChain(1);
  world.killMaster();
  world.settings.replicas = 2;
  world.startMaster();
  auto& drifting = world.makeNode("n2");
  drifting.skew = 3'000'000'000;
  drifting.start();
  auto& foreign = world.makeNode("n3");
  foreign.clusterId = 1;
  foreign.start();
  auto& restored = world.makeNode("n4");
  restored.empty = false;
  restored.start();
  world.runFor(3 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1");
  EXPECT_THAT(drifting.notNow, HasSubstr("3s ahead"));
  EXPECT_THAT(foreign.refusal, HasSubstr("belongs to cluster 1"));
  EXPECT_THAT(restored.refusal, HasSubstr("restored from a backup"));
}

TEST_F(JoinTest, DoesNotNameANodeWhoseClockHasGoneWrong) {
  world.startChain(2);
  auto& spare = world.startNode("n3");
  world.runFor(500 * MS);
  spare.skew = 3'000'000'000;
  world.runFor(500 * MS);
  EXPECT_THAT(note("n3"), HasSubstr("its clock is wrong"));
  node(2).kill();
  world.runFor(2 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1");
  spare.skew = 0;
  world.runUntil(chainIs("n1 > n3"));
}

// Processes that die during a join.  Afterwards all of them come back, and the chain has to be
// whole again.
enum class Victim { joiner, tail, head, master, masterAndJoiner, masterAndTail };

class JoinInterrupted: public JoinTest, public ::testing::WithParamInterface<Victim> {
protected:
  void killVictim(FakeNode& joiner) {
    switch (GetParam()) {
      case Victim::joiner:
        return joiner.kill();
      case Victim::tail:
        return node(2).kill();
      case Victim::head:
        return node(1).kill();
      case Victim::master:
        return world.killMaster();
      case Victim::masterAndJoiner:
        world.killMaster();
        return joiner.kill();
      case Victim::masterAndTail:
        world.killMaster();
        return node(2).kill();
    }
  }

  void expectWholeAgain(FakeNode& joiner) {
    killVictim(joiner);
    gateFromNowOn();
    world.runFor(3 * kj::SECONDS);
    if (world.master.get() == nullptr) world.startMaster();
    world.runFor(3 * kj::SECONDS);
    for (auto* each: {&node(1), &node(2), &joiner}) {
      if (!each->running()) world.restart(*each);
    }
    world.runUntil([this]() { return world.master->current().servingCount() == 3; });
    world.runFor(1 * kj::SECONDS);
    EXPECT_EQ(world.master->current().servingCount(), 3u);
    EXPECT_EQ(world.master->notice(), "");
    checkHistory();
  }
};

TEST_P(JoinInterrupted, BeforeItHasBegun) {
  world.startChain(3);
  auto& joiner = world.makeSuccessor(node(3));
  world.runUntil(chainIs("n1 > n2"));
  joiner.start();
  expectWholeAgain(joiner);
}

TEST_P(JoinInterrupted, WhileSyncing) {
  expectWholeAgain(startJoin());
}

TEST_P(JoinInterrupted, WhenTheGateIsTold) {
  auto& joiner = startJoin();
  node(2).gate(3, joiner.incarnation);
  expectWholeAgain(joiner);
}

TEST_P(JoinInterrupted, WhenTheJoinerServesInTheStoreOnly) {
  auto& joiner = startJoin();
  joiner.paused = true;
  node(2).gate(3, joiner.incarnation);
  world.runUntil([this]() { return world.epoch() == 4; });
  EXPECT_EQ(joiner.adopted.epoch, 3u);
  joiner.paused = false;
  expectWholeAgain(joiner);
}

TEST_P(JoinInterrupted, WhenItIsOver) {
  auto& joiner = startJoin();
  node(2).gate(3, joiner.incarnation);
  world.runUntil([&]() { return world.epoch() == 4 && world.adoptedBy({&joiner}); });
  expectWholeAgain(joiner);
}

INSTANTIATE_TEST_SUITE_P(Victims, JoinInterrupted,
                         ::testing::Values(Victim::joiner, Victim::tail, Victim::head,
                                           Victim::master, Victim::masterAndJoiner,
                                           Victim::masterAndTail));

TEST_F(JoinTest, RemovesAJoinerThatIsLostLikeAnyOther) {
  auto& joiner = startJoin();
  joiner.kill();
  EXPECT_LE(world.runUntil(chainIs("n1 > n2")) / MS, 1);
  EXPECT_EQ(cause(), "n3 lost: connection closed, then refused");
}

TEST_F(JoinTest, RemovesAJoinerThatOnlyItsTailCannotReach) {
  world.settings.flapDelay = 60 * kj::SECONDS;
  auto& joiner = startJoin();
  bool removed = false;
  for (int i = 0; i < 10 && !removed; ++i) {
    node(2).report(joiner);
    world.runFor(1 * kj::SECONDS);
    removed = world.members() == "n1 > n2";
    EXPECT_TRUE(!removed || i >= 4) << "it gets some time";
  }
  EXPECT_TRUE(removed) << "it would stand in the way of every bid, once it is gated";
  EXPECT_THAT(cause(), HasSubstr("n3 lost: reported by n2"));
}

TEST_F(JoinTest, NeverPromotesAJoinerWithoutItsGate) {
  world.startChain(2);
  for (auto& each: world.nodes) each->gates = false;
  auto& joiner = world.restart(node(2));
  world.runUntil(
      [&]() { return world.adoptedBy({&joiner}) && joiner.adopted.joiner() != nullptr; });
  node(1).kill();
  world.runFor(10 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1 > n2 (syncing)");
  EXPECT_THAT(world.master->notice(), HasSubstr("Awaited: n1 (" + node(1).address + ")"));
  EXPECT_THAT(world.master->notice(), HasSubstr("n2 (it was not serving in epoch 3)"));
  auto& head = world.restart(node(1));
  gateFromNowOn();
  head.gates = true;
  world.runUntil(chainIs("n1 > n2"));
  checkHistory();
}

TEST_F(JoinTest, LetsAGatedJoinerGoOnWithoutItsTail) {
  world.startChain(2);
  for (auto& each: world.nodes) each->gates = false;
  auto& joiner = world.restart(node(2));
  world.runUntil(
      [&]() { return world.adoptedBy({&joiner}) && joiner.adopted.joiner() != nullptr; });
  node(1).gate(3, joiner.incarnation);
  node(1).kill();
  world.runUntil(chainIs("n2"));
  checkHistory();
}

TEST_F(JoinTest, IsCarriedOutOnceByTwoMasters) {
  world.startChain(3);
  auto other = Master::open(world.timer, world.network, *world.store, world.clock, world.random,
                            world.settings)
                   .wait(world.waitScope);
  // It takes over when the first one is gone; until then it only watches.
  auto& joiner = world.restart(node(3));
  world.runUntil([&]() { return other->current().joiner() != nullptr; });
  EXPECT_EQ(other->current(), world.master->current());
  world.killMaster();
  world.master = kj::mv(other);
  world.masterServer = kj::heap<StreamServer>(serve(*world.master));
  world.runUntil([&]() { return world.members() == "n1 > n2 > n3" && world.adoptedBy({&joiner}); });
  checkHistory();
}

TEST_F(JoinTest, MakesAFlappingNodeWait) {
  world.startChain(3);
  auto* flapping = &node(3);
  // The first crash and the second one are followed by a wait of 0 and 1 second, and so on.
  for (int wait: {0, 1000, 2000, 4000}) {
    flapping->kill();
    world.runUntil(chainIs("n1 > n2"));
    flapping = &world.restart(*flapping);
    world.runFor(10 * MS);
    if (wait != 0) {
      EXPECT_THAT(note("n3"), HasSubstr("flapping"));
      EXPECT_THAT(note("n3"), HasSubstr("left before it joins again"));
    }
    auto time = world.runUntil([&]() {
      return world.master->current().joiner() != nullptr ||
             world.master->current().servingCount() == 3;
    });
    EXPECT_GE(time / MS, wait - 20);
    EXPECT_LE(time / MS, wait + 60);
    world.runUntil(chainIs("n1 > n2 > n3"));
  }
  world.runFor(61 * kj::SECONDS);
  flapping->kill();
  world.runUntil(chainIs("n1 > n2"));
  flapping = &world.restart(*flapping);
  EXPECT_LE(world.runUntil([&]() { return flapping->adopted.joiner() != nullptr; }) / MS, 1);
}

TEST_F(JoinTest, RefusesAnOlderCopyOfADataDirectory) {
  world.startChain(3);
  auto& second = world.restart(node(3));
  world.runUntil(chainIs("n1 > n2 > n3"));
  second.kill();
  world.runUntil(chainIs("n1 > n2"));
  // The copy was made before the last start.
  auto& copy = world.makeSuccessor(node(3));
  copy.start();
  world.runUntil([&]() { return copy.refusal != ""; });
  EXPECT_THAT(copy.refusal, HasSubstr("the data directory of node n3 is an older copy"));
  // It is stored, so a restarted master knows it too.
  world.killMaster();
  world.startMaster();
  auto& again = world.makeSuccessor(copy);
  again.generation = 1;
  again.start();
  world.runUntil([&]() { return again.refusal != ""; });
  world.restart(second);
  world.runUntil(chainIs("n1 > n2 > n3"));
}

TEST_F(JoinTest, FormsFromABackupAndLetsTheOthersJoin) {
  world.settings.replicas = 3;
  world.startMaster();
  world.startNode("n1");
  world.startNode("n3");
  world.runFor(1 * kj::SECONDS);
  auto& restored = world.makeNode("n2");
  restored.empty = false;
  restored.start();
  world.runUntil(chainIs("n2 > n1 > n3"));
  EXPECT_EQ(world.master->relinks()[0].configuration.cause,
            "formed from the backup that n2 restored");
  checkHistory();
}

TEST_F(JoinTest, DoesNotChooseBetweenTwoBackups) {
  world.settings.replicas = 1;
  world.startMaster();
  for (auto name: {"n1", "n2"}) {
    auto& restored = world.makeNode(name);
    restored.empty = false;
    restored.damage = "not looked at yet";
    restored.start();
    world.runUntil([&]() { return restored.registrations == 1; });
  }
  // Both are there when the master evaluates.
  for (auto& each: world.nodes) each->damage.clear();
  world.runFor(4 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 0u);
  EXPECT_THAT(world.master->notice(), HasSubstr("n1, n2 were each restored from a backup"));
  node(1).kill();
  world.runUntil(chainIs("n2"));
}

}  // namespace
}  // namespace gavel::master
