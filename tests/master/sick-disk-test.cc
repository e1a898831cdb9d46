// Members whose disks hang or crawl, and the master's decisions on them (R12).

#include "tests/master/fixture.h"

namespace gavel::master {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SickDiskTest: public MasterTest {
protected:
  void measure(FakeNode& node, std::uint64_t syncs, kj::Duration median) {
    node.syncs = syncs;
    node.syncMedian = median;
  }
  // All members sync ten times a second, each time for a millisecond.
  void startMeasured(unsigned members) {
    world.startChain(members);
    for (auto& each: world.nodes) measure(*each, 100, 1 * MS);
  }
  // Runs for so long, and expects that the chain stays as it is.
  void expectNoChange(kj::Duration duration) {
    auto before = world.epoch();
    world.runFor(duration);
    EXPECT_EQ(world.epoch(), before) << world.members();
  }
};

TEST_F(SickDiskTest, AHangingMemberLeavesLikeALostOne) {
  world.startChain(3);
  node(2).diskHangs = true;
  auto time = world.runUntil(chainIs("n1 > n3"));
  EXPECT_GE(time / MS, 2000) << "others may be about to say so of theirs";
  EXPECT_LE(time / MS, 2300);
  EXPECT_EQ(cause(), "n2 lost: its disk does not answer");
  world.runFor(1 * kj::SECONDS);
  EXPECT_EQ(note("n2"), "its disk does not answer: look at it, and start the node again");
  // Its disk answers again, and it joins.
  node(2).diskHangs = false;
  world.runUntil(chainIs("n1 > n3 > n2"));
  checkHistory();
}

TEST_F(SickDiskTest, NobodyLeavesWhileAllHang) {
  world.startChain(3);
  for (auto& each: world.nodes) each->diskHangs = true;
  expectNoChange(60 * kj::SECONDS);
  for (auto& each: world.nodes) each->diskHangs = false;
  expectNoChange(10 * kj::SECONDS);
}

TEST_F(SickDiskTest, NobodyLeavesWhereTheOthersSaySoALittleLater) {
  world.startChain(3);
  for (auto& each: world.nodes) {
    each->diskHangs = true;
    world.runFor(800 * MS);
  }
  expectNoChange(60 * kj::SECONDS);
}

TEST_F(SickDiskTest, TheOneThatDoesNotHangGoesOn) {
  world.startChain(3);
  for (unsigned n: {1, 3}) node(n).diskHangs = true;
  world.runUntil(chainIs("n2"));
  checkHistory();
}

TEST_F(SickDiskTest, TheLastMemberStays) {
  world.startChain(2);
  node(1).kill();
  node(2).diskHangs = true;
  world.runUntil(chainIs("n2"));
  expectNoChange(60 * kj::SECONDS);
}

TEST_F(SickDiskTest, AHangingJoinerIsInNobodysWay) {
  world.startChain(3);
  for (auto& each: world.nodes) each->gates = false;
  auto& joiner = world.restart(node(3));
  world.runUntil(chainIs("n1 > n2 > n3 (syncing)"));
  joiner.diskHangs = true;
  world.runUntil(chainIs("n1 > n2"));
  checkHistory();
}

TEST_F(SickDiskTest, AMemberLostMeanwhileDoesNotMakeAHangingOneTheLast) {
  world.startChain(3);
  node(1).diskHangs = true;
  node(2).kill();
  world.runUntil(chainIs("n3"));
  checkHistory();
}

TEST_F(SickDiskTest, ACrawlingMemberLeavesAndComesBackWhenItIsWell) {
  startMeasured(3);
  expectNoChange(20 * kj::SECONDS);
  measure(node(3), 5, 2 * kj::SECONDS);
  auto time = world.runUntil(chainIs("n1 > n2"));
  EXPECT_GE(time / MS, 10'000);
  EXPECT_LE(time / MS, 10'500);
  EXPECT_THAT(cause(), AllOf(HasSubstr("n3 lost: slow"), HasSubstr("2s")));
  world.runFor(60 * kj::SECONDS);
  EXPECT_EQ(world.members(), "n1 > n2");
  EXPECT_THAT(note("n3"), AllOf(HasSubstr("taken out"), HasSubstr("gavel chain add n3")));
  measure(node(3), 3, 2 * MS);
  time = world.runUntil(chainIs("n1 > n2 > n3"));
  EXPECT_GE(time / MS, 30'000);
  EXPECT_LE(time / MS, 31'000);
  checkHistory();
}

TEST_F(SickDiskTest, ACrawlingMemberStaysWhereTooFewWouldRemain) {
  startMeasured(2);
  measure(node(2), 5, 2 * kj::SECONDS);
  expectNoChange(60 * kj::SECONDS);
}

TEST_F(SickDiskTest, NobodyLeavesWhileAllCrawl) {
  startMeasured(3);
  for (auto& each: world.nodes) measure(*each, 5, 2 * kj::SECONDS);
  expectNoChange(60 * kj::SECONDS);
}

TEST_F(SickDiskTest, AnOperatorLetsACrawlingOneInAgain) {
  startMeasured(3);
  measure(node(3), 5, 2 * kj::SECONDS);
  world.runUntil(chainIs("n1 > n2"));
  auto request = world.client().addRequest();
  request.setNode("n3");
  auto response = world.wait(request.send());
  EXPECT_TRUE(response.getResult().isDone()) << response.getResult().getRefused().cStr();
  world.runUntil(chainIs("n1 > n2 > n3"));
  checkHistory();
}

}  // namespace
}  // namespace gavel::master
