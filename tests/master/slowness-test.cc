#include "master/slowness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

namespace gavel::master {
namespace {

using ::testing::HasSubstr;

Pace pace(kj::Duration median, std::uint64_t count = 100) {
  return {count, median * static_cast<std::int64_t>(count), median};
}

Measured measured(const std::string& name, kj::Duration sync, std::uint64_t count = 100) {
  Measured node;
  node.incarnation = std::stoull(name.substr(1));
  node.name = name;
  node.syncs = pace(sync, count);
  node.turns = pace(50 * kj::MICROSECONDS, 1000);
  return node;
}

class SlownessTest: public ::testing::Test {
protected:
  kj::TimePoint now = kj::origin<kj::TimePoint>() + 1000 * kj::SECONDS;
  Slowness slowness;
  std::vector<Measured> members = {measured("n1", 1 * kj::MILLISECONDS),
                                   measured("n2", 1 * kj::MILLISECONDS),
                                   measured("n3", 1 * kj::MILLISECONDS)};
  std::vector<Measured> others;

  // Looks ten times a second.  Returns after how many seconds somebody has to leave, or -1.
  double removedAfter(kj::Duration limit = 30 * kj::SECONDS) {
    auto begin = now;
    for (; now - begin < limit; now += 100 * kj::MILLISECONDS) {
      slowness.check(members, others, now);
      if (slowness.toRemove(now) != nullptr) {
        return static_cast<double>((now - begin) / kj::MILLISECONDS) / 1000;
      }
    }
    return -1;
  }
  void pass(kj::Duration duration) {
    for (auto end = now + duration; now < end; now += 100 * kj::MILLISECONDS) {
      slowness.check(members, others, now);
    }
  }
  // n2 is slow, and is removed.
  void takeOut() {
    members[1].syncs = pace(2 * kj::SECONDS, 5);
    ASSERT_EQ(removedAfter(), 10);
    slowness.removed("n2", "slow", now);
    others = {members[1]};
    members.erase(members.begin() + 1);
  }
};

TEST_F(SlownessTest, TakesOutTheMemberWhoseDiskCrawls) {
  members[1].syncs = pace(2 * kj::SECONDS, 5);
  EXPECT_EQ(removedAfter(), 10);
  auto loss = KJ_ASSERT_NONNULL(slowness.toRemove(now));
  EXPECT_EQ(loss.incarnation, 2u);
  EXPECT_THAT(loss.cause, HasSubstr("a sync of its disk takes 2s"));
}

TEST_F(SlownessTest, TakesOutTheMemberWhoseProcessorCrawls) {
  members[2].turns = pace(300 * kj::MILLISECONDS, 33);
  EXPECT_EQ(removedAfter(), 10);
  EXPECT_THAT(KJ_ASSERT_NONNULL(slowness.toRemove(now)).cause, HasSubstr("event loop"));
}

TEST_F(SlownessTest, LeavesAllThatAreSlowAlike) {
  for (auto& member: members) member.syncs = pace(2 * kj::SECONDS, 5);
  members[1].syncs = pace(30 * kj::SECONDS, 3);
  EXPECT_EQ(removedAfter(), -1);  // 15 times those of the others.
}

TEST_F(SlownessTest, LeavesWhoIsSlowerButNotSlow) {
  members[1].syncs = pace(199 * kj::MILLISECONDS, 50);
  EXPECT_EQ(removedAfter(), -1);
}

TEST_F(SlownessTest, WaitsForTenSecondsWithoutABreak) {
  members[1].syncs = pace(2 * kj::SECONDS, 5);
  EXPECT_EQ(removedAfter(9 * kj::SECONDS), -1);
  members[1].syncs = pace(1 * kj::MILLISECONDS);
  EXPECT_EQ(removedAfter(1 * kj::SECONDS), -1);
  members[1].syncs = pace(2 * kj::SECONDS, 5);
  EXPECT_EQ(removedAfter(), 10);
}

TEST_F(SlownessTest, JudgesByEnoughOnly) {
  // Nothing is known of one member, which could be as slow.
  members[1].syncs = pace(2 * kj::SECONDS, 5);
  members[2].syncs = Pace();
  EXPECT_EQ(removedAfter(), -1);
  // Slow once.
  members[2].syncs = pace(1 * kj::MILLISECONDS, 3);
  members[1].syncs = {2, 8 * kj::SECONDS, 4 * kj::SECONDS};
  EXPECT_EQ(removedAfter(), -1);
  members[1].syncs = {3, 4 * kj::SECONDS, 1 * kj::SECONDS};
  EXPECT_EQ(removedAfter(), -1);
  members[1].syncs = {3, 5 * kj::SECONDS, 1 * kj::SECONDS};
  EXPECT_EQ(removedAfter(), 10);
}

TEST_F(SlownessTest, TakesOutOneInAMinute) {
  takeOut();
  members.push_back(measured("n4", 3 * kj::SECONDS, 5));
  EXPECT_EQ(removedAfter(70 * kj::SECONDS), 60);
}

TEST_F(SlownessTest, LetsItComeBackWhenItHasProvedWell) {
  takeOut();
  pass(40 * kj::SECONDS);
  EXPECT_THAT(slowness.whyOut("n2"), HasSubstr("gavel chain add n2"));
  others[0] = measured("n2", 4 * kj::MILLISECONDS, 3);  // By probes.
  pass(29 * kj::SECONDS);
  EXPECT_NE(slowness.whyOut("n2"), "");
  others[0].syncs = pace(11 * kj::MILLISECONDS, 3);
  pass(1 * kj::SECONDS);
  others[0].syncs = pace(9 * kj::MILLISECONDS, 3);  // 10 ms are good in any case.
  pass(29 * kj::SECONDS);
  EXPECT_NE(slowness.whyOut("n2"), "");
  pass(2 * kj::SECONDS);
  EXPECT_EQ(slowness.whyOut("n2"), "");
}

TEST_F(SlownessTest, LetsItComeBackOnAnOperatorsWord) {
  takeOut();
  slowness.reset("n2");
  EXPECT_EQ(slowness.whyOut("n2"), "");
}

TEST_F(SlownessTest, ForgetsOnceItIsAMemberAgain) {
  takeOut();
  members.push_back(others[0]);
  members.back().syncs = pace(1 * kj::MILLISECONDS);
  others.clear();
  pass(1 * kj::SECONDS);
  EXPECT_EQ(slowness.whyOut("n2"), "");
}

TEST_F(SlownessTest, NothingMeasuredProvesNothing) {
  takeOut();
  others[0].syncs = Pace();
  pass(60 * kj::SECONDS);
  EXPECT_NE(slowness.whyOut("n2"), "");
}

TEST_F(SlownessTest, TakesOutTheMemberWhoseClockIsWrong) {
  members[2].skewed = true;
  EXPECT_EQ(removedAfter(), 10);
  EXPECT_THAT(KJ_ASSERT_NONNULL(slowness.toRemove(now)).cause, HasSubstr("clock"));
}

TEST_F(SlownessTest, BelievesMostClocksRatherThanTheMasters) {
  members[1].skewed = members[2].skewed = true;
  EXPECT_EQ(removedAfter(), -1);
  members[0].skewed = true;
  EXPECT_EQ(removedAfter(), -1);
}

TEST_F(SlownessTest, ANewProcessBeginsAnew) {
  members[1].syncs = pace(2 * kj::SECONDS, 5);
  EXPECT_EQ(removedAfter(9 * kj::SECONDS), -1);
  members[1].incarnation = 22;
  EXPECT_EQ(removedAfter(), 10);
}

}  // namespace
}  // namespace gavel::master
