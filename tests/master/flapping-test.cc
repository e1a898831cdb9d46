#include "master/flapping.h"

#include <gtest/gtest.h>

namespace gavel::master {
namespace {

class FlappingTest: public ::testing::Test {
protected:
  kj::TimePoint now = kj::origin<kj::TimePoint>() + 100 * kj::SECONDS;
  Flapping flapping{1 * kj::SECONDS, 60 * kj::SECONDS};

  // Is a member for that long and is lost.  Returns how many milliseconds it then has to wait.
  std::int64_t crashAfter(kj::Duration membership, const std::string& name = "n1") {
    flapping.joined(name, now);
    now += membership;
    flapping.lost(name, now);
    return flapping.wait(name, now) / kj::MILLISECONDS;
  }
};

TEST_F(FlappingTest, WaitsTwiceAsLongEachTimeUpToABound) {
  std::vector<std::int64_t> waits;
  for (unsigned i = 0; i < 10; ++i) waits.push_back(crashAfter(5 * kj::SECONDS));
  EXPECT_EQ(waits, (std::vector<std::int64_t>{0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000,
                                              60000}));
}

TEST_F(FlappingTest, CountsTheWaitFromTheLoss) {
  for (unsigned i = 0; i < 3; ++i) crashAfter(5 * kj::SECONDS);
  EXPECT_EQ(flapping.wait("n1", now + 500 * kj::MILLISECONDS), 1500 * kj::MILLISECONDS);
  EXPECT_EQ(flapping.wait("n1", now + 2 * kj::SECONDS), 0 * kj::SECONDS);
  EXPECT_EQ(flapping.wait("n1", now + 1 * kj::DAYS), 0 * kj::SECONDS);
}

TEST_F(FlappingTest, ForgivesAfterALongMembership) {
  for (unsigned i = 0; i < 5; ++i) crashAfter(5 * kj::SECONDS);
  EXPECT_EQ(crashAfter(60 * kj::SECONDS), 0);
  EXPECT_EQ(crashAfter(59 * kj::SECONDS), 0);  // The first loss again.
  EXPECT_EQ(crashAfter(59 * kj::SECONDS), 1000);
}

TEST_F(FlappingTest, CountsMembershipFromTheFirstTimeItIsSeen) {
  crashAfter(1 * kj::SECONDS);
  flapping.joined("n1", now);
  now += 59 * kj::SECONDS;
  EXPECT_EQ(crashAfter(1 * kj::SECONDS), 0);
}

TEST_F(FlappingTest, CountsOnlyLossesAndOnlyOfMembers) {
  crashAfter(1 * kj::SECONDS);
  flapping.lost("n1", now);
  flapping.joined("n1", now);
  flapping.left("n1");
  flapping.lost("n1", now);
  EXPECT_EQ(flapping.wait("n1", now), 0 * kj::SECONDS);
  EXPECT_EQ(crashAfter(1 * kj::SECONDS), 1000);
}

TEST_F(FlappingTest, IsResetByAnOperatorAndKnowsNodesApart) {
  for (unsigned i = 0; i < 3; ++i) crashAfter(1 * kj::SECONDS);
  EXPECT_EQ(crashAfter(1 * kj::SECONDS, "n2"), 0);
  flapping.reset("n1");
  EXPECT_EQ(flapping.wait("n1", now), 0 * kj::SECONDS);
}

TEST_F(FlappingTest, NeverMakesWaitWithADelayOfZero) {
  Flapping none(0 * kj::SECONDS, 60 * kj::SECONDS);
  for (unsigned i = 0; i < 5; ++i) {
    none.joined("n1", now);
    none.lost("n1", now);
    EXPECT_EQ(none.wait("n1", now), 0 * kj::SECONDS);
  }
}

TEST_F(FlappingTest, BoundsTheLongestWait) {
  Flapping endless(100'000 * kj::DAYS, 60 * kj::SECONDS);
  for (unsigned i = 0; i < 20; ++i) {
    endless.joined("n1", now);
    endless.lost("n1", now);
  }
  EXPECT_EQ(endless.wait("n1", now), 60 * kj::DAYS);
}

TEST_F(FlappingTest, ForgetsThoseLostTheLongestAgo) {
  for (unsigned i = 0; i < 3; ++i) crashAfter(1 * kj::SECONDS, "first");
  for (unsigned i = 0; i < 3; ++i) crashAfter(1 * kj::SECONDS, "second");
  for (std::size_t i = 0; i < Flapping::LIMIT - 1; ++i) {
    flapping.joined("x" + std::to_string(i), now);
    flapping.lost("x" + std::to_string(i), now);
  }
  EXPECT_EQ(flapping.wait("first", now), 0 * kj::SECONDS);
  EXPECT_NE(flapping.wait("second", now), 0 * kj::SECONDS);
}

}  // namespace
}  // namespace gavel::master
