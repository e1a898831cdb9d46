#include "base/recent-durations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gavel {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// Up to a fifth off.
MATCHER_P(IsAbout, expected, "") {
  auto actual = static_cast<double>(arg.count());
  auto right = static_cast<double>(nanoseconds(expected).count());
  return actual > right * 0.8 && actual < right * 1.2;
}

TEST(RecentDurations, HasNothingToSayAtFirst) {
  RecentDurations durations;
  auto summary = durations.summary(seconds(5));
  EXPECT_EQ(summary.count, 0u);
  EXPECT_EQ(summary.sum, nanoseconds(0));
  EXPECT_EQ(summary.median, nanoseconds(0));
}

TEST(RecentDurations, TellsTheMiddleOne) {
  RecentDurations durations;
  for (auto took: {microseconds(200), microseconds(300), microseconds(400'000)}) {
    durations.add(seconds(100), took);
  }
  auto summary = durations.summary(seconds(100));
  EXPECT_EQ(summary.count, 3u);
  EXPECT_EQ(summary.sum, microseconds(400'500));
  EXPECT_THAT(summary.median, IsAbout(microseconds(300)));
}

TEST(RecentDurations, CountsTheOneThatHasNotEnded) {
  RecentDurations durations;
  durations.add(seconds(100), milliseconds(1));
  EXPECT_THAT(durations.summary(seconds(100), seconds(4)).median, IsAbout(milliseconds(1)));
  durations.add(seconds(101), seconds(2));
  auto summary = durations.summary(seconds(101), seconds(4));
  EXPECT_EQ(summary.count, 3u);
  EXPECT_EQ(summary.sum, seconds(6) + milliseconds(1));
  EXPECT_THAT(summary.median, IsAbout(seconds(2)));
}

TEST(RecentDurations, ForgetsWhatEndedTenSecondsBefore) {
  RecentDurations durations;
  for (int i = 0; i < 1000; ++i) durations.add(seconds(100), seconds(2));
  durations.add(seconds(105), milliseconds(1));
  EXPECT_THAT(durations.summary(seconds(109)).median, IsAbout(seconds(2)));
  EXPECT_EQ(durations.summary(seconds(110)).count, 1u);
  EXPECT_THAT(durations.summary(seconds(110)).median, IsAbout(milliseconds(1)));
  EXPECT_EQ(durations.summary(seconds(1'000'000)).count, 0u);
}

TEST(RecentDurations, TakesAnyDuration) {
  RecentDurations durations;
  durations.add(seconds(1), nanoseconds(0));
  durations.add(seconds(1), nanoseconds(-5));
  durations.add(seconds(1), std::chrono::hours(1000));
  EXPECT_EQ(durations.summary(seconds(1)).count, 3u);
}

}  // namespace
}  // namespace gavel
