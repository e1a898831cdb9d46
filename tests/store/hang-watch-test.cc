#include "store/hang-watch.h"

#include <gtest/gtest.h>

namespace gavel {
namespace {

TEST(HangWatch, CountsChecksWithoutProgress) {
  HangWatch watch(3);
  watch.check(7, true, true);  // A call has ended since the last look.
  for (unsigned i = 1; i < 3; ++i) {
    watch.check(7, true, true);
    EXPECT_EQ(watch.silent(), i);
    EXPECT_FALSE(watch.hangs());
  }
  watch.check(7, true, true);
  EXPECT_TRUE(watch.hangs());
}

TEST(HangWatch, BeginsAnewWithEachCallThatEnds) {
  HangWatch watch(3);
  for (std::uint64_t ended = 1; ended < 100; ++ended) {
    watch.check(ended, true, true);
    watch.check(ended, true, true);
    watch.check(ended, true, true);
    EXPECT_FALSE(watch.hangs());
  }
}

TEST(HangWatch, HasNothingAgainstAnIdleDisk) {
  HangWatch watch(3);
  for (unsigned i = 0; i < 100; ++i) watch.check(7, false, true);
  EXPECT_FALSE(watch.hangs());
  EXPECT_EQ(watch.silent(), 0u);
}

TEST(HangWatch, DoesNotCountChecksOfALoopThatWasLate) {
  HangWatch watch(3);
  watch.check(7, true, true);
  for (unsigned i = 0; i < 100; ++i) watch.check(7, true, false);
  EXPECT_FALSE(watch.hangs());
}

TEST(HangWatch, IsOverOnceACallHasEnded) {
  HangWatch watch(3);
  for (unsigned i = 0; i < 10; ++i) watch.check(7, true, true);
  EXPECT_TRUE(watch.hangs());
  watch.check(8, true, true);
  EXPECT_FALSE(watch.hangs());
}

}  // namespace
}  // namespace gavel
