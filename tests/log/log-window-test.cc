#include "log/log-window.h"

#include <gtest/gtest.h>

namespace gavel {
namespace {

Position at(std::uint64_t index) {
  return {1, index, index * 7};
}

TEST(LogWindow, KeepsTheOldestPartThatIsWithinBothBounds) {
  LogWindow window(1600, 1000);
  window.reset({});
  for (std::uint64_t i = 10; i <= 1000; i += 10) window.grow(at(i), 100);
  // Marks are 100 bytes, or 63 entries, apart, so each batch has one.
  EXPECT_EQ(window.startWithin(at(1000), 1000), at(840));
  EXPECT_EQ(window.startWithin(at(900), 900), at(840));
  EXPECT_EQ(window.startWithin(at(500), 500), at(500)) << "not past what is needed";
  EXPECT_EQ(window.startWithin(at(505), 503), at(500));

  LogWindow fewer(1 << 30, 160);
  fewer.reset({});
  for (std::uint64_t i = 10; i <= 1000; i += 10) fewer.grow(at(i), 100);
  EXPECT_EQ(fewer.startWithin(at(1000), 1000), at(840));
}

TEST(LogWindow, EndsExactlyWhereNothingElseIsWithin) {
  LogWindow window(1600, 1000);
  window.reset({});
  window.grow(at(5), 1);
  window.grow(at(10), 100'000);
  EXPECT_EQ(window.startWithin(at(7), 7), at(7));
  EXPECT_EQ(window.startWithin(at(10), 10), at(10));
}

TEST(LogWindow, FollowsCutsAndTruncation) {
  LogWindow window(1600, 1000);
  window.reset(at(100));
  for (std::uint64_t i = 110; i <= 400; i += 10) window.grow(at(i), 100);
  EXPECT_EQ(window.bytes(), 3000u);
  window.truncate(at(250));
  EXPECT_EQ(window.start(), at(250));
  EXPECT_EQ(window.bytes(), 1500u);
  window.cut(at(300));
  EXPECT_EQ(window.end(), at(300));
  EXPECT_EQ(window.bytes(), 500u);
  EXPECT_EQ(window.startWithin(at(300), 300), at(250));
  window.cut(at(250));
  EXPECT_EQ(window.end(), window.start());
}

}  // namespace
}  // namespace gavel
