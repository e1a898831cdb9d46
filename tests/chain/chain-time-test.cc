#include "chain/chain-time.h"

#include <limits>

#include <gtest/gtest.h>

#include "tests/support/fakes.h"

// Chain time with clocks that are wrong (R15).
namespace gavel::chain {
namespace {

constexpr std::int64_t SECOND = 1'000'000'000;
constexpr std::int64_t HOUR = 3600 * SECOND;
constexpr std::int64_t DAY = 24 * HOUR;

class ChainTimeTest: public ::testing::Test {
protected:
  ~ChainTimeTest() noexcept override = default;

  gavel::testing::ManualClock clock;

  // Gives an entry its stamp, as the head does.
  static auction::Stamp give(ChainTime& time) {
    auto boot = time.sinceBoot();
    auto stamp = time.at(boot);
    time.noted(stamp, boot);
    return stamp;
  }
  // The chain time of a new process on a log that ends with `stamp`.
  ChainTime restarted(auction::Stamp stamp) {
    ChainTime time(clock);
    time.read(stamp);
    return time;
  }
};

TEST_F(ChainTimeTest, IsTheClockWhereThatIsRight) {
  ChainTime time(clock);
  EXPECT_EQ(time.now(), clock.wall());
  EXPECT_EQ(give(time), clock.wall());
  clock.advance(5 * SECOND);
  EXPECT_EQ(give(time), clock.wall());
  EXPECT_EQ(time.now() - time.clock(), 1) << "above the entry of this very moment";
}

TEST_F(ChainTimeTest, GivesNoTwoEntriesTheSameTime) {
  ChainTime time(clock);
  auto first = give(time);
  EXPECT_EQ(give(time), first + 1);
  EXPECT_EQ(give(time), first + 2);
  clock.advance(3);
  EXPECT_EQ(give(time), first + 5) << "three after the last: no later entry is nearer";
}

TEST_F(ChainTimeTest, IgnoresStepsOfTheWallClock) {
  ChainTime time(clock);
  auto before = give(time);
  clock.wallNow += 3 * DAY;
  clock.advance(SECOND);
  EXPECT_EQ(give(time), before + SECOND);
  clock.wallNow -= 30 * DAY;
  clock.advance(SECOND);
  EXPECT_EQ(give(time), before + 2 * SECOND);
}

TEST_F(ChainTimeTest, GoesOnAtTheRateOfRealTimeWhereItIsAheadOfTheClock) {
  clock.wallNow += 400 * DAY;
  ChainTime wrong(clock);
  auto last = give(wrong);
  clock.wallNow -= 400 * DAY;
  auto time = restarted(last);
  EXPECT_EQ(time.clock(), clock.wall());
  clock.advance(10 * SECOND);
  EXPECT_EQ(time.now(), last + 10 * SECOND);
  EXPECT_EQ(give(time), last + 10 * SECOND);
  clock.advance(HOUR);
  EXPECT_EQ(give(time), last + 10 * SECOND + HOUR);
}

TEST_F(ChainTimeTest, GoesOnWhereTheClockWasSetBackBetweenTwoStarts) {
  ChainTime before(clock);
  auto last = give(before);
  clock.wallNow -= HOUR;
  auto time = restarted(last);
  EXPECT_EQ(time.now(), last + 1);
  clock.advance(10 * SECOND);
  EXPECT_EQ(give(time), last + 10 * SECOND);
  // The clock does not matter until it has caught up.
  clock.advance(2 * HOUR);
  EXPECT_EQ(give(time), last + 10 * SECOND + 2 * HOUR);
}

TEST_F(ChainTimeTest, AddsOnlyWhatPassedAfterTheEntryWasTaken) {
  auto ahead = clock.wall() + 400 * DAY;
  ChainTime time(clock);
  time.noted(ahead, time.sinceBoot());
  clock.advance(3 * SECOND);
  EXPECT_EQ(time.now(), ahead + 3 * SECOND);
  time.noted(ahead + SECOND, time.sinceBoot());  // It was under way for two seconds.
  EXPECT_EQ(time.now(), ahead + SECOND + 1);
  clock.advance(SECOND);
  EXPECT_EQ(time.now(), ahead + 2 * SECOND);
}

TEST_F(ChainTimeTest, TakesTheClockWhereItIsAboveWhatPassed) {
  ChainTime before(clock);
  auto last = give(before);
  clock.wallNow += 6 * DAY;  // Nothing ran for so long.
  auto time = restarted(last);
  EXPECT_EQ(time.leapAt(time.sinceBoot()), 0);
  EXPECT_EQ(give(time), clock.wall());
}

TEST_F(ChainTimeTest, DoesNotBelieveALargeLeapUntilTheClockIsRight) {
  ChainTime before(clock);
  auto last = give(before);
  clock.wallNow += 400 * DAY;
  auto time = restarted(last);
  clock.advance(SECOND);
  EXPECT_EQ(time.leapAt(time.sinceBoot()), 400 * DAY);
  EXPECT_EQ(time.now(), last + SECOND) << "what passed, for those who only look";
  clock.wallNow -= 400 * DAY;
  EXPECT_EQ(time.leapAt(time.sinceBoot()), 400 * DAY);
  time.takeClock();
  EXPECT_EQ(time.leapAt(time.sinceBoot()), 0);
  EXPECT_EQ(give(time), clock.wall());
}

TEST_F(ChainTimeTest, BelievesALargeLeapThatAnOperatorAccepts) {
  ChainTime before(clock);
  auto last = give(before);
  clock.wallNow += 8 * DAY;
  auto time = restarted(last);
  EXPECT_GT(time.leapAt(time.sinceBoot()), 7 * DAY);
  time.acceptLeap();
  EXPECT_EQ(time.leapAt(time.sinceBoot()), 0);
  EXPECT_EQ(give(time), clock.wall());
  EXPECT_EQ(time.leapAt(time.sinceBoot()), 0) << "it is in the log now";
  // The next leap is another matter.
  clock.wallNow += 8 * DAY;
  time.takeClock();
  EXPECT_GT(time.leapAt(time.sinceBoot()), 7 * DAY);
}

TEST_F(ChainTimeTest, TakesIdlenessForNoLeap) {
  ChainTime time(clock);
  give(time);
  clock.advance(30 * DAY);
  EXPECT_EQ(time.leapAt(time.sinceBoot()), 0);
  EXPECT_EQ(give(time), clock.wall());
  EXPECT_EQ(time.sinceLeap(time.sinceBoot()), 30 * DAY);
}

TEST_F(ChainTimeTest, ComparesTheClockOfAnEmptyLogWithNothing) {
  clock.wallNow += 400 * DAY;
  auto time = restarted(0);
  EXPECT_EQ(time.leapAt(time.sinceBoot()), 0);
  EXPECT_EQ(give(time), clock.wall());
}

TEST_F(ChainTimeTest, KnowsHowLongAgoItMayHaveLeapt) {
  ChainTime time(clock);
  clock.advance(10 * SECOND);
  EXPECT_EQ(time.sinceLeap(time.sinceBoot()), 10 * SECOND) << "a start counts as one";
  auto last = give(time);
  clock.advance(10 * SECOND);
  // The stamp is from another head, whose clock is a little ahead.
  time.noted(last + 10 * SECOND + ChainTime::SMALL_LEAP, time.sinceBoot());
  EXPECT_EQ(time.sinceLeap(time.sinceBoot()), 20 * SECOND);
  time.noted(time.now() + 2 * ChainTime::SMALL_LEAP, time.sinceBoot());
  EXPECT_EQ(time.sinceLeap(time.sinceBoot()), 0);
  clock.advance(5 * SECOND);
  EXPECT_EQ(time.sinceLeap(time.sinceBoot()), 5 * SECOND);
  time.read(last);
  EXPECT_EQ(time.sinceLeap(time.sinceBoot()), 0);
}

TEST_F(ChainTimeTest, EndsAtTheEndOfTime) {
  ChainTime time(clock);
  constexpr auto MOST = std::numeric_limits<std::int64_t>::max();
  time.noted(MOST - SECOND, time.sinceBoot());
  clock.advance(HOUR);
  EXPECT_EQ(time.now(), MOST);
  EXPECT_EQ(give(time), MOST);
}

}  // namespace
}  // namespace gavel::chain
