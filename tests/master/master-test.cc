#include "master/master.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "master/document.h"
#include "tests/master/fixture.h"
#include "tests/support/memory-config-store.h"

namespace gavel::master {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(MasterTest, FormsTheChainOnceEnoughNodesHaveRegistered) {
  world.startMaster();
  auto& n10 = world.startNode("n10");
  auto& n2 = world.startNode("n2");
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 0u);
  auto& n1 = world.startNode("n1");
  world.runUntil([&]() { return world.epoch() == 1 && world.adoptedBy({&n1, &n2, &n10}); });
  EXPECT_EQ(world.members(), "n1 > n2 > n10");
  EXPECT_NE(world.master->current().clusterId, 0u);
  EXPECT_EQ(world.master->current().stamp, world.clock.wall());
  checkHistory();
}

TEST_F(MasterTest, FormsFromEmptyNodesWithRightClocksOnly) {
  world.settings.replicas = 1;
  world.startMaster();
  auto& late = world.makeNode("n2");
  late.skew = -3'000'000'000;
  late.start();
  world.runFor(1 * kj::SECONDS);
  EXPECT_THAT(late.notNow, HasSubstr("3s before that of its master"));
  EXPECT_EQ(world.epoch(), 0u);
  world.startNode("n3");
  world.runUntil(atEpoch(1));
  EXPECT_EQ(world.members(), "n3");
}

TEST_F(MasterTest, LetsANodeInWhoseClockWasWrongOnceThatIsRight) {
  world.startChain(2);
  auto& late = world.makeNode("n3");
  late.skew = -3600'000'000'000;
  late.start();
  world.runFor(1 * kj::SECONDS);
  EXPECT_THAT(note("n3"), HasSubstr("1h before that of its master"));
  EXPECT_EQ(world.master->nodes().back().standing, schema::NodeEntry::Standing::REFUSED);
  late.skew = 0;  // Or the master's clock was wrong, and is right now.
  world.runFor(1 * kj::SECONDS);
  EXPECT_EQ(late.registrations, 1u);
  EXPECT_THAT(note("n3"), HasSubstr("spare"));
  EXPECT_EQ(world.master->nodes().back().standing, schema::NodeEntry::Standing::SPARE);
}

TEST_F(MasterTest, SaysOfAMemberThatItsNextProcessIsRefused) {
  world.startChain(2);
  auto& next = world.makeSuccessor(node(2));
  next.skew = 3600'000'000'000;
  next.start();
  world.runFor(1 * kj::SECONDS);
  EXPECT_THAT(note("n2"), HasSubstr("1h ahead of that of its master"));
  next.kill();
  world.runFor(20 * kj::SECONDS);
  EXPECT_THAT(note("n2"), Not(HasSubstr("ahead"))) << "it does not try any more";
}

TEST_F(MasterTest, FormsWithoutANodeWhoseClockHasGoneWrong) {
  world.settings.replicas = 2;
  world.startMaster();
  auto& drifting = world.startNode("n1");
  world.runFor(1 * kj::SECONDS);
  drifting.skew = 3'000'000'000;
  world.runFor(1 * kj::SECONDS);
  world.startNode("n2");
  world.runFor(1 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 0u);
  drifting.skew = 0;
  world.runUntil(atEpoch(1));
}

TEST_F(MasterTest, RemovesAKilledNodeAtOnce) {
  world.startChain(3);
  node(2).kill();
  auto time = world.runUntil([&]() {
    return world.epoch() == 2 && world.adoptedBy({&node(1), &node(3)});
  });
  EXPECT_LE(time / MS, 1);
  EXPECT_EQ(world.members(), "n1 > n3");
  EXPECT_EQ(world.master->current().cause, "n2 lost: connection closed, then refused");
  checkHistory();
}

TEST_F(MasterTest, RemovesASilentNodeAfterSuspectAfter) {
  world.startChain(3);
  node(1).paused = true;
  auto time = world.runUntil(atEpoch(2));
  EXPECT_GE(time / MS, 900);  // Its last heartbeat may be one interval old.
  EXPECT_LE(time / MS, 1050);
  EXPECT_EQ(world.members(), "n2 > n3");

  // It only slept: it learns that it is out, and joins again.
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(node(1).adopted.epoch, 1u);
  EXPECT_EQ(world.epoch(), 2u);
  node(1).paused = false;
  EXPECT_LE(world.runUntil([&]() { return world.adoptedBy({&node(1)}); }) / MS, 100);
  world.runUntil(chainIs("n2 > n3 > n1"));
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 4u);
  checkHistory();
}

TEST_F(MasterTest, RemovesNodesThatFailTogetherTogether) {
  world.startChain(4);
  node(1).kill();
  node(3).kill();
  world.runUntil(atEpoch(2));
  EXPECT_EQ(world.members(), "n2 > n4");
}

TEST_F(MasterTest, WaitsBrieflyForANodeOnItsWayOut) {
  world.startChain(3);
  node(1).kill();
  node(3).kill();
  world.network.endpoints[node(3).address] = {Reaction::close};
  world.runFor(3 * MS);
  EXPECT_EQ(world.epoch(), 1u);
  world.network.endpoints.erase(node(3).address);
  EXPECT_LE(world.runUntil(atEpoch(2)) / MS, 2);
  EXPECT_EQ(world.members(), "n2");
}

TEST_F(MasterTest, WaitsOnlyBrieflyForOtherProbes) {
  world.startChain(3);
  node(1).paused = true;  // Connected, but it answers no probe for 250 ms after the report.
  node(3).report(node(1));
  node(2).kill();
  EXPECT_LE(world.runUntil(atEpoch(2)) / MS, 10);
  EXPECT_EQ(world.members(), "n1 > n3");
  EXPECT_LE(world.runUntil(atEpoch(3)) / MS, 250);
  EXPECT_EQ(world.members(), "n3");
}

TEST_F(MasterTest, NeverRemovesTheLastServingMember) {
  world.startChain(2);
  node(1).kill();
  world.runUntil(atEpoch(2));
  node(2).kill();
  world.runFor(10 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 2u);
  EXPECT_EQ(world.members(), "n2");
}

TEST_F(MasterTest, KeepsTheChainIfAllAreLostAtOnce) {
  world.startChain(3);
  for (auto& each: world.nodes) each->kill();
  world.runFor(10 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
}

TEST_F(MasterTest, SuspectsItselfWhenItReachesNobody) {
  world.startChain(3);
  for (auto& each: world.nodes) each->paused = true;
  world.runFor(10 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  // The first one that is heard again may go on without the others, which had their time.
  node(2).paused = false;
  world.runUntil(atEpoch(2));
  EXPECT_EQ(world.members(), "n2");
}

TEST_F(MasterTest, DoesNotTakeItsOwnPauseForTheirs) {
  world.startChain(3);
  world.runFor(3 * kj::SECONDS);
  world.sleep(30 * kj::SECONDS);
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_EQ(world.members(), "n1 > n2 > n3");
}

TEST_F(MasterTest, DoesNotTakeTheAgeOfAMessageForAWrongClock) {
  world.startMaster();
  world.runFor(1 * kj::SECONDS);
  world.sleep(30 * kj::SECONDS);
  auto& waiting = world.makeNode("n1");
  waiting.skew = -20'000'000'000;  // As if it had been sent while the master slept.
  waiting.start();
  world.runFor(100 * MS);
  EXPECT_EQ(waiting.refusal, "");
  EXPECT_EQ(waiting.registrations, 0u);
  waiting.skew = 0;
  world.runUntil([&]() { return waiting.registrations == 1; });
}

TEST_F(MasterTest, TakesARestartedNodeForLost) {
  world.startChain(3);
  node(3).gates = false;
  node(2).paused = true;  // The old connection has not even closed.
  auto& again = world.makeNode("n2", node(2).storeId);
  again.clusterId = world.master->current().clusterId;
  again.empty = false;
  again.generation = 2;
  again.start();
  // Its old address is asked, and does not answer.
  EXPECT_LE(world.runUntil([&]() { return world.epoch() == 3 && world.adoptedBy({&again}); }) / MS,
            270);
  EXPECT_EQ(world.master->relinks()[1].configuration.cause, "n2 lost: restarted, then no answer");
  EXPECT_EQ(world.members(), "n1 > n3 > n2 (syncing)");
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 3u);
  EXPECT_EQ(again.registrations, 1u);
}

TEST_F(MasterTest, RefusesANameThatALiveNodeHas) {
  world.startChain(2);
  auto& imposter = world.startNode("n1");
  world.runUntil([&]() { return imposter.refusal != ""; });
  EXPECT_THAT(imposter.refusal, HasSubstr("n1 is in use by a live node at " + node(1).address));
  world.runFor(2 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
}

TEST_F(MasterTest, DoubtsAMemberWhoseNameAnotherProcessHas) {
  world.startChain(2);
  world.killMaster();
  for (auto i: {1, 2}) node(i).reconnects = false;
  world.runFor(1 * kj::SECONDS);
  world.startMaster();
  // n1 runs, but is not back yet: its name is no proof.
  world.startNode("n1");
  world.runFor(3 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_EQ(world.members(), "n1 > n2");
}

TEST_F(MasterTest, RefusesAnotherClusterAndVersion) {
  world.startChain(1);
  auto& foreign = world.makeNode("n2");
  foreign.clusterId = 1;
  foreign.start();
  auto& newer = world.makeNode("n3");
  newer.protocolVersion = schema::PROTOCOL_VERSION + 1;
  newer.start();
  auto& nameless = world.makeNode("");
  nameless.start();
  world.runUntil(
      [&]() { return foreign.refusal != "" && newer.refusal != "" && nameless.refusal != ""; });
  EXPECT_THAT(foreign.refusal, HasSubstr("belongs to cluster 1"));
  EXPECT_THAT(newer.refusal, HasSubstr("version " + std::to_string(schema::PROTOCOL_VERSION)));
  EXPECT_THAT(nameless.refusal, HasSubstr("--name"));
}

TEST_F(MasterTest, SendsANodeAwayThatIsAheadOfItsStore) {
  world.startChain(1);
  auto& ahead = world.makeNode("n2");
  ahead.adopted.epoch = 7;
  ahead.clusterId = world.master->current().clusterId;
  ahead.start();
  world.runFor(1 * kj::SECONDS);
  EXPECT_EQ(ahead.registrations, 0u);
  EXPECT_EQ(ahead.refusal, "");  // It tries again.
}

TEST_F(MasterTest, ForgivesALostConnection) {
  world.startChain(3);
  node(2).dropConnection();
  world.runFor(3 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_EQ(node(2).registrations, 2u);
}

TEST_F(MasterTest, CountsTheNewestRegistrationOfANode) {
  world.startChain(2);
  node(2).registerAgain();
  world.runUntil([this]() { return node(2).registrations == 2; });
  node(2).dropFirstConnection();
  auto before = world.network.connects;
  world.runFor(3 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_EQ(world.network.connects, before);  // It is not even doubted.
}

TEST_F(MasterTest, TakesADroppedRegistrationForALostConnection) {
  world.startChain(3);
  node(2).dropRegistration();
  auto time = world.runUntil(atEpoch(2));
  EXPECT_GE(time / MS, 1000);  // It answers, so it has this time to register again.
  EXPECT_LE(time / MS, 1050);
  EXPECT_THAT(world.master->current().cause, HasSubstr("not registered again"));
}

TEST_F(MasterTest, ChecksWhatANeighbourReports) {
  world.startChain(3);
  world.runFor(500 * MS);
  node(1).report(node(2));
  world.runFor(2 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);  // n1 is well.

  node(2).paused = true;
  node(1).report(node(2));
  EXPECT_LE(world.runUntil(atEpoch(2)) / MS, 250);
  EXPECT_EQ(world.master->current().cause, "n2 lost: reported by n1 (no answer), then no answer");
}

TEST_F(MasterTest, IgnoresReportsFromOutsideTheChainOrOfAnotherEpoch) {
  world.startChain(2);
  auto& spare = world.startNode("n3");
  world.runUntil([&]() { return spare.adopted.epoch == 1; });
  auto before = world.network.connects;
  spare.report(node(1));
  node(2).adopted.epoch = 9;
  node(2).report(node(1));
  node(1).report(node(1));
  world.runFor(500 * MS);
  EXPECT_EQ(world.network.connects, before);
}

TEST_F(MasterTest, DoesNotDisturbAHealthyChainWhenItRestarts) {
  world.startChain(3);
  auto before = world.master->current();
  world.killMaster();
  world.runFor(5 * kj::SECONDS);
  world.startMaster();
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(world.master->current(), before);
  node(3).kill();
  EXPECT_LE(world.runUntil(atEpoch(2)) / MS, 1);
}

TEST_F(MasterTest, RemovesMembersThatDiedWhileItWasAway) {
  world.startChain(3);
  world.killMaster();
  node(1).kill();
  node(3).kill();
  world.runFor(5 * kj::SECONDS);
  world.startMaster();
  auto time = world.runUntil(atEpoch(2));
  EXPECT_GE(time / MS, 1000);
  EXPECT_LE(time / MS, 1060);
  EXPECT_EQ(world.members(), "n2");
}

TEST_F(MasterTest, KeepsMembersThatRunButDoNotRegisterAfterItsRestart) {
  world.startChain(2);
  node(2).reconnects = false;
  world.killMaster();
  world.runFor(1 * kj::SECONDS);
  world.startMaster();
  world.runFor(10 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  node(2).kill();
  world.runUntil(atEpoch(2));
  EXPECT_EQ(world.members(), "n1");
}

TEST_F(MasterTest, TakesAMemberBackThatHasAWrongClock) {
  world.startChain(2);
  world.killMaster();
  node(1).skew = 60'000'000'000;
  world.startMaster();
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(node(1).registrations, 2u);
  EXPECT_EQ(world.epoch(), 1u);
}

TEST_F(MasterTest, TellsANodeUntilItHasConfirmed) {
  world.startChain(3);
  node(3).paused = true;  // At the moment when the others get it.
  node(2).kill();
  world.runUntil(atEpoch(2));
  world.runFor(500 * MS);
  EXPECT_EQ(node(3).adopted.epoch, 1u);
  node(3).paused = false;
  world.runUntil([&]() { return world.adoptedBy({&node(1), &node(3)}); });
  EXPECT_EQ(world.epoch(), 2u);
}

TEST_F(MasterTest, RecordsHowLongARelinkTook) {
  world.startChain(3);
  node(1).paused = true;
  world.runUntil(atEpoch(2));
  world.runFor(1 * kj::SECONDS);
  world.killMaster();
  auto document = Document::decode(world.store->get().wait(world.waitScope).document);
  ASSERT_EQ(document.relinks.size(), 2u);
  EXPECT_GT(document.relinks[0].duration, 0);
  EXPECT_GT(document.relinks[1].duration, 0);
  EXPECT_LT(document.relinks[1].duration, 1'000'000);  // Counted from the suspicion.
}

TEST_F(MasterTest, FollowsAnotherMasterAtTheSameStore) {
  world.startChain(3);
  world.runFor(1 * kj::SECONDS);  // Time for the duration to be stored.
  auto ledger = Ledger::open(*world.store).wait(world.waitScope);
  auto next = ledger->current();
  ++next.epoch;
  next.members.pop_back();
  world.wait(ledger->replace(ledger->document().with(next)));
  world.runUntil([&]() { return world.epoch() >= 2 && world.adoptedBy({&node(1), &node(3)}); });
  EXPECT_EQ(world.master->relinks()[1].configuration.describe(), "n1 > n2");
  world.runUntil(chainIs("n1 > n2 > n3"));  // n1 lives.
  node(1).kill();
  world.runUntil(chainIs("n2 > n3"));
  checkHistory();
}

TEST_F(MasterTest, AnswersForTheTopology) {
  world.startChain(2);
  auto& spare = world.startNode("n0");
  world.runUntil([&]() { return spare.adopted.epoch == 1; });
  node(2).kill();
  world.runUntil(chainIs("n1 > n0"));
  world.runFor(50 * MS);
  auto client = world.client();

  auto configuration = world.wait(client.configurationRequest().send());
  EXPECT_EQ(Configuration::read(configuration.getConfiguration()), world.master->current());

  auto nodes = world.wait(client.nodesRequest().send());
  std::vector<std::string> names;
  for (auto entry: nodes.getNodes()) {
    names.push_back(std::string(entry.getStatus().getName().cStr()) +
                    (entry.getConnected() ? "" : " gone"));
    EXPECT_GE(entry.getLastHeard(), 0);
    EXPECT_LT(entry.getLastHeard(), 1'000'000'000);
  }
  EXPECT_THAT(names, ElementsAre("n1", "n0", "n2 gone"));
  EXPECT_EQ(nodes.getNodes()[0].getNote(), "");
  EXPECT_THAT(nodes.getNodes()[2].getNote().cStr(), HasSubstr("not heard"));
  EXPECT_EQ(nodes.getNotice(), "");

  auto epochs = world.wait(client.epochsRequest().send());
  ASSERT_EQ(epochs.getRelinks().size(), 4u);
  EXPECT_EQ(epochs.getRelinks()[1].getConfiguration().getEpoch(), 2u);
  EXPECT_GT(epochs.getRelinks()[1].getDuration(), 0);

  auto status = client.statusRequest().send();
  auto exception = kj::runCatchingExceptions([&]() { world.wait(kj::mv(status)); });
  EXPECT_THAT(KJ_ASSERT_NONNULL(exception).getDescription().cStr(), HasSubstr("this is a master"));
}

TEST_F(MasterTest, ListsMembersItHasNotHeardYet) {
  world.startChain(2);
  for (auto i: {1, 2}) node(i).reconnects = false;
  world.killMaster();
  world.startMaster();
  auto client = world.client();
  auto nodes = world.wait(client.nodesRequest().send());
  ASSERT_EQ(nodes.getNodes().size(), 2u);
  auto entry = nodes.getNodes()[0];
  EXPECT_EQ(entry.getStatus().getName(), "n1");
  EXPECT_EQ(entry.getLastHeard(), -1);
  EXPECT_FALSE(entry.getConnected());
}

TEST_F(MasterTest, RemembersOnlyAFewOfTheNodesThatAreGone) {
  world.startChain(1);
  world.runFor(1 * kj::SECONDS);
  for (unsigned i = 0; i < 200; ++i) {
    auto& passing = world.startNode("x" + std::to_string(i));
    world.runUntil([&]() { return passing.adopted.epoch == 1; });
    world.nodes.pop_back();
  }
  world.runFor(2 * kj::SECONDS);
  EXPECT_EQ(world.master->nodes().size(), 33u);
}

// A disk that fails at the next swap.
class FailingStore final: public ConfigStore {
public:
  kj::Promise<Stored> get() override { return inner.get(); }
  kj::Promise<kj::Maybe<std::uint64_t>> compareAndSwap(
      std::uint64_t expectedVersion, kj::Array<const kj::byte> document) override {
    if (fails) return KJ_EXCEPTION(FAILED, "No space left on device");
    return inner.compareAndSwap(expectedVersion, kj::mv(document));
  }
  kj::Promise<Stored> watch(std::uint64_t version) override { return inner.watch(version); }
  kj::Promise<void> putNote(kj::Array<const kj::byte> note) override {
    return inner.putNote(kj::mv(note));
  }
  kj::Promise<kj::Array<const kj::byte>> getNote() override { return inner.getNote(); }

  bool fails = false;

private:
  MemoryConfigStore inner;
};

TEST_F(MasterTest, EndsWhenItsStoreFails) {
  auto store = kj::heap<FailingStore>();
  auto& failing = *store;
  world.store = kj::mv(store);
  world.startChain(2);
  world.runFor(1 * kj::SECONDS);
  failing.fails = true;
  auto failure = world.master->failure();
  node(1).kill();
  auto exception = kj::runCatchingExceptions([&]() { world.wait(kj::mv(failure)); });
  EXPECT_THAT(KJ_ASSERT_NONNULL(exception).getDescription().cStr(), HasSubstr("No space left"));
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_EQ(node(2).adopted.epoch, 1u);  // Only what is stored is announced.
}

TEST_F(MasterTest, OutlivedCapabilitiesFailAsDisconnected) {
  world.startChain(1);
  auto service = serve(*world.master);
  world.killMaster();
  auto call = service.configurationRequest().send();
  auto exception = kj::runCatchingExceptions([&]() { call.wait(world.waitScope); });
  EXPECT_EQ(KJ_ASSERT_NONNULL(exception).getType(), kj::Exception::Type::DISCONNECTED);
}

}  // namespace
}  // namespace gavel::master
