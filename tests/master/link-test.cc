#include <random>

#include "tests/master/fixture.h"

// The master's actions on links between its members that do not work (R6).
namespace gavel::master {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class LinkTest: public MasterTest {
protected:
  ~LinkTest() noexcept override = default;

  // `reporter` reports its link to `peer` repeatedly, as nodes do, while both are members.
  void reportsFrom(FakeNode& reporter, FakeNode& peer) {
    reporting = tell(reporter, peer).eagerlyEvaluate(nullptr);
  }
  void stopReports() { reporting = nullptr; }
  std::size_t length() { return world.master->current().members.size(); }

  bool gating = false;
  kj::Promise<void> reporting = nullptr;

private:
  kj::Promise<void> tell(FakeNode& reporter, FakeNode& peer) {
    return reporter.reportLink(peer, true, gating)
        .catch_([](kj::Exception&&) {})
        .then([this]() { return world.timer.afterDelay(250 * MS); })
        .then([this, &reporter, &peer]() { return tell(reporter, peer); });
  }
};

TEST_F(LinkTest, TakesAPairApartThatItHearsBothOf) {
  world.startChain(3);
  reportsFrom(node(1), node(2));
  EXPECT_LE(world.runUntil(chainIs("n1 > n3 > n2")), 500 * MS);
  auto relinks = world.master->relinks();
  EXPECT_EQ(relinks[1].configuration.describe(), "n1 > n3");
  EXPECT_EQ(relinks[1].configuration.cause, "n1 and n2 cannot talk to each other: n2 taken out");
  EXPECT_EQ(world.master->notice(), "");
  EXPECT_THAT(world.master->brokenLinks(), SizeIs(1)) << "remembered";
  checkHistory();
}

TEST_F(LinkTest, StaysShorterWhereThePairWouldBeNeighboursAgainAndSaysSo) {
  world.startChain(3);
  reportsFrom(node(3), node(2));
  world.runUntil(chainIs("n1 > n2"));
  world.runFor(5 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1 > n2");
  EXPECT_THAT(world.master->notice(), HasSubstr("n2 and n3 cannot talk to each other since"));
  EXPECT_THAT(note("n3"), HasSubstr("it cannot talk to n2, after which it would join"));
  auto broken = world.master->brokenLinks();
  ASSERT_THAT(broken, SizeIs(1));
  EXPECT_TRUE(broken[0].dead);
  EXPECT_GE(broken[0].lasting, 5 * kj::SECONDS);
}

TEST_F(LinkTest, TakesASpareThatTheTailCanTalkTo) {
  world.startChain(3);
  world.startNode("n4");
  world.runFor(100 * MS);
  reportsFrom(node(2), node(3));
  world.runUntil([&]() { return world.members() == "n1 > n2 > n4"; });
}

TEST_F(LinkTest, TriesThePairAgainAndForgetsItWhenItHasWorked) {
  world.startChain(3);
  reportsFrom(node(2), node(3));
  world.runUntil(chainIs("n1 > n2"));
  stopReports();
  auto took = world.runUntil(chainIs("n1 > n2 > n3"));
  EXPECT_GE(took, world.settings.linkRetry - 1 * kj::SECONDS);
  EXPECT_LE(took, world.settings.linkRetry + 1 * kj::SECONDS);
  world.runFor(world.settings.linkRetry + 1 * kj::SECONDS);
  EXPECT_THAT(world.master->brokenLinks(), IsEmpty());
}

TEST_F(LinkTest, AnOperatorsOrderTriesItAtOnce) {
  world.startChain(3);
  reportsFrom(node(2), node(3));
  world.runUntil(chainIs("n1 > n2"));
  stopReports();
  auto request = world.client().addRequest();
  request.setNode("n3");
  world.wait(request.send().ignoreResult());
  EXPECT_LE(world.runUntil(chainIs("n1 > n2 > n3")), 1 * kj::SECONDS);
}

// Or the chain would stand still for as long as each of two masters hears one end.
TEST_F(LinkTest, AnEndThatHasRegisteredWithAnotherMasterOnlyHasToAnswer) {
  world.startChain(3);
  node(2).reconnects = false;
  world.killMaster();
  world.startMaster();
  world.runFor(100 * MS);
  reportsFrom(node(1), node(2));
  EXPECT_LE(world.runUntil(chainIs("n1 > n3")), 500 * MS);
  EXPECT_THAT(cause(), HasSubstr("n1 and n2 cannot talk to each other"));
  checkHistory();
}

TEST_F(LinkTest, AReportOfAnotherEpochIsIgnored) {
  world.startChain(3);
  node(3).kill();
  world.runUntil(chainIs("n1 > n2"));
  node(1).adopted.epoch = 1;  // It does not know of it.
  world.wait(node(1).reportLink(node(2), true, false));
  world.runFor(1 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1 > n2");
}

TEST_F(LinkTest, TakesOnePairApartAtATime) {
  world.startChain(5);
  reportsFrom(node(1), node(2));
  world.runUntil(chainIs("n1 > n3 > n4 > n5 > n2"));
  reportsFrom(node(3), node(4));
  world.runFor(world.settings.suspectAfter);
  EXPECT_EQ(world.members(), "n1 > n3 > n4 > n5 > n2");
  EXPECT_LE(world.runUntil(chainIs("n1 > n3 > n5 > n2 > n4")), 2 * world.settings.suspectAfter);
  checkHistory();
}

// Otherwise it takes a second of standstill to find it out again.
TEST_F(LinkTest, ALossDoesNotMakeNeighboursOfADeadPair) {
  world.startChain(4);
  reportsFrom(node(2), node(3));
  world.runUntil(chainIs("n1 > n2 > n4 > n3"));
  stopReports();
  node(4).kill();
  world.runUntil([&]() { return world.members() != "n1 > n2 > n4 > n3"; });
  EXPECT_EQ(world.members(), "n1 > n2");
  EXPECT_THAT(world.master->current().cause, HasSubstr("n4 lost: "));
  EXPECT_THAT(world.master->current().cause, HasSubstr("n2 and n3 cannot talk to each other"));
  checkHistory();
}

// -- joining

TEST_F(LinkTest, AGateIsNotTakenWhileTheTailCannotTalkToTheJoiner) {
  world.settings.replicas = 3;
  world.startChain(2);
  node(2).gates = false;
  world.settings.replicas = 3;
  world.killMaster();
  world.startMaster();
  auto& joiner = world.startNode("n3");
  world.runUntil(chainIs("n1 > n2 > n3 (syncing)"));
  world.runUntil([&]() { return world.adoptedBy({&node(1), &node(2), &joiner}); });
  auto epoch = world.epoch();
  reportsFrom(node(2), joiner);
  world.runFor(1 * MS);
  node(2).gate(epoch, joiner.incarnation);
  world.runFor(2 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1 > n2 > n3 (syncing)")
      << "neither let in nor, not gated, taken out yet";
  stopReports();
  world.wait(node(2).reportLink(joiner, false, false));
  world.runUntil(chainIs("n1 > n2 > n3"));
}

TEST_F(LinkTest, AGatedJoinerOverADeadLinkIsTakenOutAtOnce) {
  world.startChain(2);
  node(2).gates = false;
  world.settings.replicas = 3;
  world.killMaster();
  world.startMaster();
  auto& joiner = world.startNode("n3");
  world.runUntil(chainIs("n1 > n2 > n3 (syncing)"));
  world.runUntil([&]() { return world.adoptedBy({&node(1), &node(2), &joiner}); });
  gating = true;
  reportsFrom(node(2), joiner);
  EXPECT_LE(world.runUntil(chainIs("n1 > n2")), 500 * MS);
  EXPECT_THAT(cause(), HasSubstr("which was joining"));
}

// -- a lost node looks like a broken link

TEST(DeadHead, ItsSuccessorStays) {
  std::mt19937_64 engine(7);
  auto upTo = [&](kj::Duration most) {
    auto nanoseconds = static_cast<std::uint64_t>(most / kj::NANOSECONDS);
    return static_cast<std::int64_t>(engine() % nanoseconds) * kj::NANOSECONDS;
  };
  for (int i = 0; i < 200 && !::testing::Test::HasFailure(); ++i) {
    World world;
    world.startChain(3);
    world.runFor(upTo(300 * MS));
    auto& head = *world.nodes[0];
    auto& successor = *world.nodes[1];
    // At some moment it stops answering, and nobody learns that its connections are gone.
    head.paused = true;
    world.network.endpoints[head.address].reaction = Reaction::silent;
    // The patience is the time of suspicion, or less, since a check was under way.
    auto patience = world.settings.suspectAfter - upTo(200 * MS);
    auto told = world.timer.afterDelay(patience)
                    .then([&]() { return successor.reportLink(head, true, false); })
                    .eagerlyEvaluate([](kj::Exception&&) {});
    world.runUntil([&]() { return world.epoch() == 2; });
    EXPECT_EQ(world.members(), "n2 > n3") << i;
    EXPECT_THAT(world.master->current().cause, HasSubstr("lost")) << i;
  }
}

// -- addresses that do not resolve

TEST_F(LinkTest, ANameThatDoesNotResolveTakesNobodyOutWhoIsHeard) {
  world.startChain(3);
  world.network.unresolved = true;
  node(1).report(node(2));
  node(2).report(node(3));
  world.runFor(3 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1 > n2 > n3");
  EXPECT_EQ(world.epoch(), 1u);
}

}  // namespace
}  // namespace gavel::master
