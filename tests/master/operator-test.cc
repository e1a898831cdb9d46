// Total outages (R11), and the orders of operators.

#include "tests/master/fixture.h"
#include "tests/support/memory-config-store.h"

namespace gavel::master {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OperatorTest: public MasterTest {
protected:
  template <typename Request>
  std::string send(Request request) {
    auto response = world.wait(request.send());
    auto result = response.getResult();
    return result.isDone() ? std::string("done: ") + result.getDone().cStr()
                           : std::string("refused: ") + result.getRefused().cStr();
  }
  std::string add(const char* node) {
    auto request = world.client().addRequest();
    request.setNode(node);
    return send(kj::mv(request));
  }
  std::string drain(const char* node) {
    auto request = world.client().drainRequest();
    request.setNode(node);
    return send(kj::mv(request));
  }
  std::string replace(const char* old, const char* successor) {
    auto request = world.client().replaceRequest();
    request.setOld(old);
    request.setNew(successor);
    return send(kj::mv(request));
  }
  std::string recover(const char* node, std::uint64_t epoch) {
    auto request = world.client().recoverRequest();
    request.setNode(node);
    request.setEpoch(epoch);
    return send(kj::mv(request));
  }
  std::string acceptClock(std::int64_t limit) {
    auto request = world.client().acceptClockRequest();
    request.setLimit(limit);
    return send(kj::mv(request));
  }
  // The nodes report these log ends with the next heartbeat.
  void setLog(std::initializer_list<std::uint64_t> ends) {
    std::size_t i = 0;
    for (auto end: ends) node(++i).last = end;
    world.runFor(300 * MS);
  }
  void killAll() {
    for (auto& each: world.nodes) each->kill();
  }
};

using OutageTest = OperatorTest;

TEST_F(OutageTest, GoesOnAtOnceWhenAllAreBackLongestLogFirst) {
  world.startChain(3);
  setLog({30, 30, 20});
  killAll();
  world.runFor(2 * kj::SECONDS);
  node(1).last = 30;
  node(2).last = 32;  // Entries that were appended, synced, and never reported.
  node(3).last = 30;
  world.restart(node(1));
  world.restart(node(2));
  world.runFor(500 * MS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(note("n1"), HasSubstr("ready to go on"));
  EXPECT_THAT(world.master->notice(), HasSubstr("Awaited: n3 (" + node(3).address + ")"));
  EXPECT_THAT(world.master->notice(), HasSubstr("Goes on without those that are awaited in 2"));
  world.restart(node(3));
  EXPECT_LE(world.runUntil(atEpoch(2)) / MS, 1);
  EXPECT_EQ(world.members(), "n2 > n1 > n3");
  EXPECT_EQ(cause(), "restarted after a total outage: n2, n1, n3");
  EXPECT_EQ(world.master->notice(), "");
  checkHistory();
}

TEST_F(OutageTest, GoesOnWithoutTheMissingAfterAWhile) {
  world.startChain(3);
  killAll();
  world.runFor(2 * kj::SECONDS);
  world.restart(node(1));
  world.restart(node(3));
  auto time = world.runUntil([this]() { return world.epoch() > 1; });
  EXPECT_GE(time / MS, 2950);
  EXPECT_LE(time / MS, 3060);
  EXPECT_EQ(world.members(), "n1 > n3");
  world.restart(node(2));
  world.runUntil(chainIs("n1 > n3 > n2"));
  checkHistory();
}

TEST_F(OutageTest, BringsAChainOfOneBackAtOnce) {
  world.startChain(1);
  auto& again = world.restart(node(1));
  EXPECT_LE(world.runUntil([&]() { return world.epoch() == 2 && world.adoptedBy({&again}); }) / MS,
            11);
  EXPECT_EQ(cause(), "restarted after a total outage: n1");
  checkHistory();
}

TEST_F(OutageTest, SurvivesTheMastersOwnOutage) {
  world.startChain(3);
  killAll();
  world.killMaster();
  world.runFor(5 * kj::SECONDS);
  world.startMaster();
  world.restart(node(2));
  world.restart(node(3));
  auto time = world.runUntil([this]() { return world.epoch() > 1; });
  EXPECT_GE(time / MS, 3950);  // First n1 has its second to be heard.
  EXPECT_LE(time / MS, 4200);
  EXPECT_EQ(world.members(), "n2 > n3");
  checkHistory();
}

TEST_F(OutageTest, StaysAsItIsWhileAMemberOfItLives) {
  world.startChain(2);
  node(2).reconnects = false;  // It runs, but this master only learns that by asking.
  world.killMaster();
  world.startMaster();
  world.restart(node(1));
  world.runUntil([this]() { return world.epoch() > 1; });
  EXPECT_EQ(world.master->relinks()[1].configuration.describe(), "n2");
}

TEST_F(OutageTest, IsInterruptedByAnotherOne) {
  world.startChain(3);
  killAll();
  world.runFor(2 * kj::SECONDS);
  auto& first = world.restart(node(1));
  world.runFor(1 * kj::SECONDS);
  first.kill();
  world.runFor(1 * kj::SECONDS);
  auto& second = world.restart(first);
  // The others have their time again.
  auto time = world.runUntil([this]() { return world.epoch() > 1; });
  EXPECT_GE(time / MS, 2950);
  second.kill();
  world.runFor(1 * kj::SECONDS);
  world.restart(node(2));
  world.restart(node(3));
  world.runFor(10 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1");  // Only n1 has what was committed since.
  EXPECT_THAT(world.master->notice(), HasSubstr("Awaited: n1"));
  world.restart(second);
  world.runUntil([this]() { return world.master->current().servingCount() == 3; });
  checkHistory();
}

TEST_F(OutageTest, RefusesAllThatCannotHaveEverything) {
  world.startChain(3);
  auto& stranger = world.startNode("n4");
  world.runFor(300 * MS);
  for (int i: {1, 2, 3}) node(i).kill();
  world.runFor(2 * kj::SECONDS);
  auto& damaged = world.makeSuccessor(node(2));
  damaged.damage = "log batch 17: wrong checksum";
  damaged.start();
  auto& wiped = world.startNode("n3");
  wiped.last = 0;
  world.runFor(10 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  auto notice = world.master->notice();
  EXPECT_THAT(notice, HasSubstr("Awaited: n1 (" + node(1).address + "), n3 ("));
  EXPECT_THAT(notice, HasSubstr("n2 (damaged: log batch 17: wrong checksum)"));
  EXPECT_THAT(notice, HasSubstr("n3 (it was not serving in epoch 1)"));
  EXPECT_THAT(notice, HasSubstr("n4 (it was not serving in epoch 1)"));
  EXPECT_THAT(notice, HasSubstr("gavel chain recover NODE"));
  EXPECT_THAT(note("n2"), HasSubstr("cannot be the source"));
  EXPECT_EQ(stranger.registrations, 1u);
  world.restart(node(1));
  world.runUntil([this]() { return world.master->current().servingCount() == 3; });
  EXPECT_EQ(world.master->current().members[0].name, "n1");
  checkHistory();
}

TEST_F(OutageTest, RefusesDisksThatLostWhatTheyHad) {
  world.startChain(2);
  setLog({30, 40});
  node(1).commit = 30;
  world.runFor(300 * MS);
  killAll();
  world.runFor(2 * kj::SECONDS);
  node(1).last = 29;  // This is below what was committed.
  node(2).last = 35;  // This is below what it had reported.
  world.restart(node(1));
  world.restart(node(2));
  world.runFor(10 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(world.master->notice(), HasSubstr("n1 (its log ends at 29, but 30 was on its disk"));
  EXPECT_THAT(world.master->notice(), HasSubstr("n2 (its log ends at 35, but 40 was on its disk"));
}

TEST_F(OutageTest, DoesNotApplyToUnsyncedDisks) {
  world.startChain(1);
  node(1).unsynced = true;
  world.runFor(300 * MS);
  auto& again = world.restart(node(1));  // This time with --sync=always.
  world.runFor(10 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(world.master->notice(), HasSubstr("--sync=never"));
  EXPECT_THAT(recover("n1", 1), HasSubstr("done: "));
  world.runUntil([&]() { return world.adoptedBy({&again}); });
  EXPECT_EQ(world.epoch(), 2u);
}

TEST_F(OutageTest, DoesNotGoOnFromACopyWhileTheOriginalRuns) {
  world.startChain(1);
  auto& copy = world.makeNode("n1", node(1).storeId);
  copy.clusterId = node(1).clusterId;
  copy.empty = false;
  copy.generation = 2;
  copy.start();
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(world.master->notice(),
              HasSubstr("two processes run on copies of one data directory: n1 at "));
  node(1).kill();
  world.runUntil(atEpoch(2));
}

TEST_F(OperatorTest, DrainsAndAddsANode) {
  world.startChain(3);
  EXPECT_THAT(drain("n2"), HasSubstr("done: n2 has left the chain, which is now n1 > n3"));
  EXPECT_EQ(world.members(), "n1 > n3");
  EXPECT_EQ(cause(), "n2 drained");
  world.runFor(2 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1 > n3");
  EXPECT_THAT(note("n2"), HasSubstr("drained: `gavel chain add n2`"));
  // It is stored, and binds any process with that name.
  world.killMaster();
  world.startMaster();
  auto& again = world.restart(node(2));
  world.runFor(2 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1 > n3");
  EXPECT_THAT(drain("n2"), HasSubstr("done: n2 is no member"));
  EXPECT_EQ(add("n2"), "done: n2 joins the chain");
  world.runUntil([&]() { return world.members() == "n1 > n3 > n2" && world.adoptedBy({&again}); });
  checkHistory();
}

TEST_F(OperatorTest, RefusesToDrainWhatIsNeededOrUnknown) {
  world.startMaster();
  EXPECT_THAT(drain("n1"), HasSubstr("refused: the chain has not formed yet"));
  world.killMaster();
  world.startChain(1);
  EXPECT_THAT(drain("n1"), HasSubstr("refused: n1 is the last serving member"));
  EXPECT_THAT(drain("n9"), HasSubstr("refused: no node called n9 has registered"));
  world.runFor(1 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
}

TEST_F(OperatorTest, DrainsASpareAndLetsItBe) {
  world.startChain(2);
  world.startNode("n3");
  world.runFor(100 * MS);
  EXPECT_THAT(drain("n3"), HasSubstr("done: n3 is no member, and stays out"));
  node(2).kill();
  world.runFor(2 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1");
}

TEST_F(OperatorTest, AddsBeyondTheTargetLength) {
  world.startChain(2);
  world.startNode("n3");
  world.startNode("n4");
  world.runFor(100 * MS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_EQ(add("n4"), "done: n4 joins the chain");
  world.runUntil(chainIs("n1 > n2 > n4"));
  world.runFor(1 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 3u);  // Nobody else serves.
  checkHistory();
}

TEST_F(OperatorTest, AddsAFlappingNodeAtOnce) {
  world.startChain(2);
  auto* flapping = &node(2);
  for (int i = 0; i < 5; ++i) {
    flapping = &world.restart(*flapping);
    world.runUntil(chainIs("n1 > n2"));
  }
  flapping = &world.restart(*flapping);
  world.runFor(100 * MS);
  EXPECT_THAT(note("n2"), HasSubstr("flapping"));
  EXPECT_EQ(add("n2"), "done: n2 joins the chain");
  EXPECT_LE(world.runUntil([&]() { return flapping->adopted.joiner() != nullptr; }) / MS, 1);
}

TEST_F(OperatorTest, RefusesToAddWhoCannotJoin) {
  world.startMaster();
  EXPECT_THAT(add("n1"), HasSubstr("refused: the chain has not formed yet"));
  world.killMaster();
  world.startChain(1);
  EXPECT_EQ(add("n1"), "refused: n1 is a member already");
  EXPECT_THAT(add("n9"), HasSubstr("refused: no node called n9 has registered"));
  auto& spare = world.startNode("n2");
  world.runFor(100 * MS);
  spare.skew = 3'000'000'000;
  world.runFor(200 * MS);
  EXPECT_THAT(add("n2"), HasSubstr("refused: n2 cannot join: its clock is wrong"));
  spare.kill();
  world.runFor(100 * MS);
  EXPECT_THAT(add("n2"), HasSubstr("refused: n2 cannot join: it is not heard"));
}

TEST_F(OperatorTest, PassesOnToTheHeadThatItsClockIsRight) {
  world.startMaster();
  EXPECT_THAT(acceptClock(7), HasSubstr("refused: the chain has not formed yet"));
  world.killMaster();
  world.startChain(2);
  EXPECT_EQ(acceptClock(8), "done: n1 goes on by its clock");
  node(1).refusesClock = "its clock is not in question";
  EXPECT_EQ(acceptClock(9), "refused: n1: its clock is not in question");
  EXPECT_EQ(node(1).acceptedClocks, (std::vector<std::int64_t>{8, 9}));
  EXPECT_TRUE(node(2).acceptedClocks.empty());
  node(1).reconnects = false;
  node(1).dropConnection();
  world.runFor(10 * MS);
  EXPECT_THAT(acceptClock(10), HasSubstr("refused: the head, n1, is not heard"));
}

TEST_F(OperatorTest, ReplacesANode) {
  world.startChain(3);
  auto& successor = world.startNode("n4");
  world.runFor(100 * MS);
  EXPECT_EQ(replace("n1", "n4"), "done: n4 joins the chain, and n1 leaves it as soon as n4 serves");
  EXPECT_THAT(replace("n2", "n4"), HasSubstr("refused: the replacement of n1 by n4 is under way"));
  EXPECT_THAT(drain("n1"), HasSubstr("refused: the replacement of n1 by n4 is under way"));
  EXPECT_THAT(world.master->notice(), HasSubstr("until n4 serves, to replace n1"));
  world.runUntil(
      [&]() { return world.members() == "n2 > n3 > n4" && world.adoptedBy({&successor}); });
  EXPECT_EQ(cause(), "n1 drained");
  world.runFor(3 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n2 > n3 > n4");
  EXPECT_EQ(world.master->notice(), "");
  EXPECT_THAT(note("n1"), HasSubstr("drained"));
  checkHistory();
}

TEST_F(OperatorTest, ReplacesTheOnlyMember) {
  world.startChain(1);
  world.startNode("n2");
  world.runFor(100 * MS);
  EXPECT_THAT(replace("n1", "n2"), HasSubstr("done"));
  world.runUntil(chainIs("n2"));
  checkHistory();
}

TEST_F(OperatorTest, AbandonsAReplacementWhoseSuccessorIsLost) {
  world.startChain(2);
  for (auto& each: world.nodes) each->gates = false;
  auto& successor = world.startNode("n3");
  world.runFor(100 * MS);
  EXPECT_THAT(replace("n1", "n3"), HasSubstr("done"));
  world.runUntil(chainIs("n1 > n2 > n3 (syncing)"));
  successor.kill();
  world.runUntil(chainIs("n1 > n2"));
  EXPECT_THAT(world.master->notice(), HasSubstr("abandoned: n3 was lost"));
  node(2).gates = true;
  world.restart(successor);
  world.runFor(3 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1 > n2");
}

TEST_F(OperatorTest, DrainsAReplacedNodeThatWasLostMeanwhile) {
  world.startChain(2);
  for (auto& each: world.nodes) each->gates = false;
  world.startNode("n3");
  world.runFor(100 * MS);
  EXPECT_THAT(replace("n1", "n3"), HasSubstr("done"));
  world.runUntil(chainIs("n1 > n2 > n3 (syncing)"));
  node(1).kill();
  world.runUntil(chainIs("n2 > n3 (syncing)"));
  node(2).gates = true;
  world.runUntil(chainIs("n2 > n3"));
  world.runFor(100 * MS);
  world.restart(node(1));
  node(2).kill();
  world.runFor(3 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n3");  // n1 is drained, and stays out.
  checkHistory();
}

TEST_F(OperatorTest, RefusesImpossibleReplacements) {
  world.startChain(2);
  EXPECT_THAT(replace("n1", "n1"), HasSubstr("refused: a node cannot replace itself"));
  EXPECT_THAT(replace("n1", "n2"), HasSubstr("refused: n2 is a member already"));
  EXPECT_THAT(replace("n9", "n3"), HasSubstr("refused: n9 is no member"));
  EXPECT_THAT(replace("n1", "n9"), HasSubstr("refused: no node called n9"));
}

TEST_F(OperatorTest, RecoversFromOneNodeOnly) {
  world.startChain(3);
  EXPECT_THAT(recover("n1", 1), HasSubstr("refused: n1 serves: there is nothing to recover"));
  killAll();
  world.runFor(2 * kj::SECONDS);
  auto& damaged = world.makeSuccessor(node(2));
  damaged.damage = "log batch 17: wrong checksum";
  damaged.start();
  auto& spare = world.startNode("n4");
  spare.last = 0;
  world.runFor(3 * kj::SECONDS);
  EXPECT_THAT(recover("n2", 7), HasSubstr("refused: the chain is in epoch 1, not 7"));
  EXPECT_THAT(recover("n9", 1), HasSubstr("refused: no node called n9"));
  EXPECT_THAT(recover("n4", 1), HasSubstr("refused: the data directory of n4 does not belong"));
  EXPECT_THAT(recover("n1", 1), HasSubstr("refused: n1 is not heard"));
  EXPECT_EQ(world.epoch(), 1u);
  auto answer = recover("n2", 1);
  EXPECT_THAT(answer, HasSubstr("done: the chain goes on from n2 alone, in epoch 2"));
  EXPECT_THAT(answer, HasSubstr("entries that only n1, n3 had are lost"));
  auto recovered = world.master->relinks()[1].configuration;
  EXPECT_EQ(recovered.describe(), "n2");
  EXPECT_EQ(recovered.cause,
            "recovered by an operator from n2 alone: entries that only n1, n3 had are lost");
  world.runUntil(chainIs("n2 > n4"));
  world.restart(node(1));
  world.runUntil(chainIs("n2 > n4 > n1"));
  checkHistory();
}

TEST_F(OperatorTest, DoesNotRecoverWhileMembersMayRun) {
  world.startChain(2);
  world.killMaster();
  for (auto i: {1, 2}) node(i).reconnects = false;
  world.startMaster();
  EXPECT_THAT(recover("n1", 1), HasSubstr("refused: it is not known yet whether n1 runs"));
  EXPECT_EQ(world.epoch(), 1u);
}

// A store at which another master swaps first.
class ContestedStore final: public ConfigStore {
public:
  kj::Promise<Stored> get() override { return inner.get(); }
  kj::Promise<kj::Maybe<std::uint64_t>> compareAndSwap(
      std::uint64_t expectedVersion, kj::Array<const kj::byte> document) override {
    if (contest) {
      contest = false;
      return inner.get()
          .then([this](Stored&& stored) {
            auto theirs = Document::decode(stored.document);
            auto next = theirs.current();
            ++next.epoch;
            next.members.erase(next.members.begin());
            next.cause = "n1 lost: in the eyes of another master";
            return inner.compareAndSwap(stored.version, theirs.with(next).encode());
          })
          .then([this, expectedVersion,
                 document = kj::mv(document)](kj::Maybe<std::uint64_t>&&) mutable {
            return inner.compareAndSwap(expectedVersion, kj::mv(document));
          });
    }
    return inner.compareAndSwap(expectedVersion, kj::mv(document));
  }
  kj::Promise<Stored> watch(std::uint64_t version) override { return inner.watch(version); }
  kj::Promise<void> putNote(kj::Array<const kj::byte> note) override {
    return inner.putNote(kj::mv(note));
  }
  kj::Promise<kj::Array<const kj::byte>> getNote() override { return inner.getNote(); }

  bool contest = false;

private:
  MemoryConfigStore inner;
};

TEST_F(OperatorTest, TellsWhenAnotherMasterWasFirst) {
  auto store = kj::heap<ContestedStore>();
  auto& contested = *store;
  world.store = kj::mv(store);
  world.startChain(3);
  world.runFor(1 * kj::SECONDS);
  contested.contest = true;
  EXPECT_THAT(drain("n3"), HasSubstr("refused: another master has changed the configuration"));
  EXPECT_EQ(world.master->relinks()[1].configuration.describe(), "n2 > n3");
  world.runUntil(chainIs("n2 > n3 > n1"));  // n2 lives.
  checkHistory();
}

TEST_F(OperatorTest, LosesAGateToAnotherMasterAndTakesItsNextOne) {
  auto store = kj::heap<ContestedStore>();
  auto& contested = *store;
  world.store = kj::mv(store);
  world.startChain(3);
  for (auto& each: world.nodes) each->gates = false;
  world.runFor(1 * kj::SECONDS);
  auto& joiner = world.restart(node(3));
  world.runUntil([&]() { return joiner.adopted.joiner() != nullptr; });
  world.runFor(1 * kj::SECONDS);
  contested.contest = true;
  node(2).gate(3, joiner.incarnation);
  world.runUntil([this]() { return world.epoch() == 4; });
  EXPECT_EQ(world.members(), "n2 > n3 (syncing)");
  for (auto& each: world.nodes) each->gates = true;
  world.runUntil(chainIs("n2 > n3 > n1"));
  checkHistory();
}

TEST_F(OperatorTest, LeavesAnOrderUnansweredIfItEnds) {
  world.startChain(2);
  auto service = serve(*world.master);
  auto request = service.drainRequest();
  request.setNode("n2");
  auto call = request.send();
  world.killMaster();
  auto exception = kj::runCatchingExceptions([&]() { call.wait(world.waitScope); });
  EXPECT_EQ(KJ_ASSERT_NONNULL(exception).getType(), kj::Exception::Type::DISCONNECTED);
}

}  // namespace
}  // namespace gavel::master
