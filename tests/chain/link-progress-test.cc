#include "chain/link-progress.h"

#include <gtest/gtest.h>

namespace gavel::chain {
namespace {

using Connection = LinkProgress::Connection;

constexpr auto PATIENCE = 1 * kj::SECONDS;
constexpr auto LOOK = 50 * kj::MILLISECONDS;

// One direction of a link, checked as often as it asks for.
class LinkProgressTest: public ::testing::Test {
protected:
  ~LinkProgressTest() noexcept override = default;

  kj::TimePoint now = kj::origin<kj::TimePoint>() + 100 * kj::SECONDS;
  LinkProgress progress{PATIENCE, now};
  TcpProgress kernel;
  Connection connection = Connection::known;

  void look() {
    now += LOOK;
    progress.look(now, connection, kernel);
  }
  // At each look bytes wait, and none or some more are acknowledged.
  void lookFor(kj::Duration time, bool acknowledges) {
    for (auto passed = 0 * kj::SECONDS; passed < time; passed += LOOK) {
      kernel.outstanding = true;
      if (acknowledges) kernel.acked += 100;
      look();
    }
  }
  bool isDead() const {
    return progress.trouble()
        .map([](auto& trouble) { return trouble.cause == LinkCause::pathDead; })
        .orDefault(false);
  }
  bool isSlow() const { return progress.trouble() != nullptr && !isDead(); }
};

TEST_F(LinkProgressTest, LooksTwentyTimesInItsPatience) {
  EXPECT_EQ(progress.lookEvery(), LOOK);
}

TEST_F(LinkProgressTest, AnIdleLinkIsNoTrouble) {
  for (int i = 0; i < 1000; ++i) look();
  EXPECT_EQ(progress.trouble(), nullptr);
}

TEST_F(LinkProgressTest, AcknowledgmentsThatStandStillMeanADeadPath) {
  progress.asked(now);
  lookFor(PATIENCE, false);
  EXPECT_EQ(progress.trouble(), nullptr) << "not before the patience is over";
  lookFor(2 * LOOK, false);
  EXPECT_TRUE(isDead());
  EXPECT_TRUE(progress.hopeless());
}

TEST_F(LinkProgressTest, AcknowledgmentsThatGoOnAreNoDeadPathAndASlowProcessAfterThreeTimes) {
  progress.asked(now);
  lookFor(3 * PATIENCE - LOOK, true);
  EXPECT_EQ(progress.trouble(), nullptr);
  lookFor(2 * LOOK, true);
  EXPECT_TRUE(isSlow());
  EXPECT_TRUE(progress.hopeless());
}

TEST_F(LinkProgressTest, AClosedWindowIsNoDeadPath) {
  kernel.windowOpen = false;
  progress.asked(now);
  lookFor(3 * PATIENCE - LOOK, false);
  EXPECT_EQ(progress.trouble(), nullptr);
  lookFor(2 * LOOK, false);
  EXPECT_TRUE(isSlow()) << "its kernel has no room as its process does not read";
}

TEST_F(LinkProgressTest, NoAnswerToAConnectionMeansADeadPath) {
  connection = Connection::none;
  progress.asked(now);
  lookFor(PATIENCE - LOOK, false);
  progress.asked(now);  // Another attempt.
  EXPECT_EQ(progress.trouble(), nullptr);
  lookFor(LOOK, false);
  EXPECT_TRUE(isDead()) << "counted from the first attempt on";
  EXPECT_FALSE(progress.hopeless()) << "there is no connection to be given up";
}

TEST_F(LinkProgressTest, WhatTheLastConnectionDidNotAnswerCountsForTheNext) {
  progress.asked(now);
  lookFor(PATIENCE / 2, false);
  connection = Connection::none;  // It was reset.
  progress.asked(now);
  lookFor(PATIENCE / 2, false);
  EXPECT_TRUE(isDead());
}

TEST_F(LinkProgressTest, EveryAnswerIsProgress) {
  for (int i = 0; i < 20; ++i) {
    progress.asked(now);
    lookFor(2 * PATIENCE, true);
    progress.answered(now, false);
    EXPECT_EQ(progress.trouble(), nullptr);
  }
}

TEST_F(LinkProgressTest, WithoutTheKernelOnlyConnectionsTellOfThePath) {
  connection = Connection::opaque;
  progress.asked(now);
  lookFor(3 * PATIENCE - LOOK, false);
  EXPECT_EQ(progress.trouble(), nullptr);
  lookFor(2 * LOOK, false);
  EXPECT_TRUE(isSlow());
}

TEST_F(LinkProgressTest, ALinkThatFlapsHalfOfTheTimeIsDead) {
  // Never within its patience.
  kj::Duration passed = 0 * kj::SECONDS;
  while (progress.trouble() == nullptr && passed < 60 * PATIENCE) {
    progress.asked(now);
    lookFor(600 * kj::MILLISECONDS, false);
    lookFor(300 * kj::MILLISECONDS, true);
    progress.answered(now, false);
    passed += 900 * kj::MILLISECONDS;
  }
  EXPECT_TRUE(isDead());
  EXPECT_LE(passed, 10 * PATIENCE);
}

TEST_F(LinkProgressTest, ALinkThatStandsStillForAThirdOfTheTimeIsNot) {
  for (int i = 0; i < 100; ++i) {
    progress.asked(now);
    lookFor(300 * kj::MILLISECONDS, false);
    lookFor(600 * kj::MILLISECONDS, true);
    progress.answered(now, false);
    ASSERT_EQ(progress.trouble(), nullptr);
  }
}

TEST_F(LinkProgressTest, OfTheTimeThatAnEndWasLateItselfLittleCounts) {
  for (auto pause: {PATIENCE / 2, PATIENCE, 100 * PATIENCE}) {
    LinkProgress fresh(PATIENCE, now);
    progress = fresh;
    progress.asked(now);
    lookFor(PATIENCE / 2, false);
    now += pause;
    lookFor(PATIENCE / 4 - LOOK, false);
    EXPECT_EQ(progress.trouble(), nullptr);
    lookFor(4 * LOOK, false);
    EXPECT_TRUE(isDead());
  }
}

// The machine is busy.  If each delay began the measurement anew, the link would never be reported.
TEST_F(LinkProgressTest, AnEndThatIsLateNowAndThenTellsItYet) {
  progress.asked(now);
  auto begun = now;
  while (progress.trouble() == nullptr) {
    ASSERT_LT(now - begun, 3 * PATIENCE);
    lookFor(PATIENCE / 4, false);
    now += PATIENCE / 2;
  }
  EXPECT_TRUE(isDead());
}

TEST_F(LinkProgressTest, AnEndThatIsAlwaysLateReadsTheAnswersFirst) {
  for (int i = 0; i < 100; ++i) {
    progress.asked(now);
    now += 10 * PATIENCE;
    kernel.outstanding = true;
    progress.look(now, connection, kernel);
    EXPECT_EQ(progress.trouble(), nullptr);
    progress.answered(now, false);
  }
}

TEST_F(LinkProgressTest, TroubleIsOverAfterALargeAnswerAndATimeWithoutAny) {
  progress.asked(now);
  lookFor(2 * PATIENCE, false);
  ASSERT_TRUE(isDead());
  // Small messages get through, as on a path that drops large packets.
  for (int i = 0; i < 100; ++i) {
    progress.asked(now);
    lookFor(LOOK, true);
    progress.answered(now, false);
  }
  EXPECT_TRUE(isDead());
  progress.asked(now);
  lookFor(LOOK, true);
  progress.answered(now, true);
  lookFor(PATIENCE - 2 * LOOK, true);
  EXPECT_TRUE(isDead());
  lookFor(3 * LOOK, true);
  EXPECT_EQ(progress.trouble(), nullptr);
}

TEST_F(LinkProgressTest, TroubleTellsSinceWhen) {
  auto began = now;
  connection = Connection::none;
  progress.asked(now);
  lookFor(2 * PATIENCE, false);
  EXPECT_EQ(KJ_ASSERT_NONNULL(progress.trouble()).since, began);
}

}  // namespace
}  // namespace gavel::chain
