#include "log/recent-log.h"

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <kj/function.h>

#include "tests/support/entries.h"

namespace gavel {
namespace {

// Three batches: [1, 2], [3, 3] and [4, 6].
RecentLog threeBatches() {
  RecentLog log;
  log.append(batchAfter(log.end(), 2));
  log.append(batchAfter(log.end(), 1));
  log.append(batchAfter(log.end(), 3, 2));
  return log;
}

bool throws(kj::Function<void()> action) {
  return kj::runCatchingExceptions([&]() { action(); }) != nullptr;
}

TEST(RecentLog, FindsBatchesByWhatTheyFollow) {
  auto log = threeBatches();
  EXPECT_EQ(log.after(0)->lastIndex(), 2u);
  EXPECT_EQ(log.after(2)->lastIndex(), 3u);
  EXPECT_EQ(log.after(3)->lastIndex(), 6u);
  EXPECT_EQ(log.after(6), nullptr);
  EXPECT_TRUE(throws([&]() { log.after(1); }));
  EXPECT_TRUE(throws([&]() { log.after(7); }));
}

TEST(RecentLog, KnowsTheBytesAfterEachBatch) {
  auto log = threeBatches();
  auto size = [&](std::uint64_t index) { return log.after(index)->bytes().size(); };
  std::size_t sizes[] = {size(0), size(2), size(3)};
  EXPECT_EQ(log.bytesAfter(0), sizes[0] + sizes[1] + sizes[2]);
  EXPECT_EQ(log.bytesAfter(2), sizes[1] + sizes[2]);
  EXPECT_EQ(log.bytesAfter(3), sizes[2]);
  EXPECT_EQ(log.bytesAfter(6), 0u);
  log.trim(2, 0);
  EXPECT_EQ(log.bytesAfter(0), sizes[1] + sizes[2]) << "of what is still here";
  EXPECT_EQ(log.bytesAfter(3), sizes[2]);
}

TEST(RecentLog, AppendsOnlyWhatFollowsItsEnd) {
  auto log = threeBatches();
  auto end = log.end();
  EXPECT_TRUE(throws([&]() { log.append(batchAfter({}, 1)); }));
  EXPECT_TRUE(throws([&]() { log.append(batchAfter({end.epoch, 7, end.checksum}, 1, 2)); }));
  EXPECT_TRUE(throws([&]() { log.append(batchAfter({end.epoch, 6, end.checksum + 1}, 1, 2)); }));
  EXPECT_EQ(log.end(), end);
  log.append(batchAfter(end, 1, 2));
  EXPECT_EQ(log.end().index, 7u);
}

TEST(RecentLog, RefusesAnEpochThatGoesBack) {
  auto log = threeBatches();
  EXPECT_TRUE(throws([&]() { batchAfter(log.end(), 1, 1); }));
}

TEST(RecentLog, ContainsOnlyEndsOfItsOwnBatches) {
  auto log = threeBatches();
  EXPECT_TRUE(log.contains({}));
  EXPECT_TRUE(log.contains(log.after(0)->end()));
  EXPECT_TRUE(log.contains(log.end()));
  auto other = log.end();
  ++other.checksum;
  EXPECT_FALSE(log.contains(other));
  EXPECT_FALSE(log.contains({2, 7, 1}));
  EXPECT_FALSE(log.contains({1, 1, log.after(0)->end().checksum}));
}

TEST(RecentLog, TrimsWholeBatchesUpToAnIndex) {
  auto log = threeBatches();
  auto second = log.after(2)->end();
  log.trim(5, 0);
  EXPECT_EQ(log.start(), second);
  EXPECT_TRUE(log.contains(second));
  EXPECT_EQ(log.after(3)->lastIndex(), 6u);
  EXPECT_TRUE(throws([&]() { log.after(0); }));
  log.trim(6, 0);
  EXPECT_EQ(log.end().index, 6u);
  EXPECT_EQ(log.bytes(), 0u);
}

TEST(RecentLog, KeepsAsManyBytesAsItIsToldTo) {
  auto log = threeBatches();
  log.trim(6, log.bytes());
  EXPECT_EQ(log.start().index, 0u);
  log.trim(6, log.bytes() - 1);
  EXPECT_EQ(log.start().index, 0u) << "less would be left than is to be kept";
  log.trim(6, log.bytes() - log.after(0)->bytes().size());
  EXPECT_EQ(log.start().index, 2u);
}

TEST(RecentLog, FindsTheLastPositionThatMayBeInAnotherLog) {
  auto log = threeBatches();  // Epochs 1, 1, 2.
  auto end = log.end();
  EXPECT_EQ(log.lastWithin(end), end);
  EXPECT_EQ(log.lastWithin({9, 100, 0}), end);
  EXPECT_EQ(log.lastWithin({1, 100, 0}), log.at(3)) << "of epoch 1 there is no more";
  EXPECT_EQ(log.lastWithin({9, 5, 0}), log.at(3)) << "an end of a batch";
  EXPECT_EQ(log.lastWithin({1, 2, 77}), log.at(2)) << "whatever its checksum";
  EXPECT_EQ(log.lastWithin({1, 1, 0}), Position{});
  log.trim(3, 0);
  EXPECT_EQ(log.lastWithin({9, 5, 0}), log.start());
  EXPECT_EQ(log.lastWithin({9, 2, 0}), std::nullopt) << "it begins later";
  EXPECT_EQ(log.lastWithin({0, 9, 0}), std::nullopt);
}

TEST(RecentLog, GivesThePositionAtAnIndex) {
  auto log = threeBatches();
  EXPECT_EQ(log.at(0), Position{});
  EXPECT_EQ(log.at(6), log.end());
  EXPECT_EQ(log.at(3), log.after(3)->previous());
  EXPECT_TRUE(throws([&]() { log.at(5); }));
  EXPECT_TRUE(throws([&]() { log.at(7); }));
}

TEST(RecentLog, TellsWhetherSomebodyLagsALittle) {
  auto log = threeBatches();
  auto last = log.after(3)->bytes().size();
  EXPECT_TRUE(log.holdsWithin(6, 6, 0));
  EXPECT_TRUE(log.holdsWithin(3, 6, last));
  EXPECT_FALSE(log.holdsWithin(3, 6, last - 1));
  EXPECT_FALSE(log.holdsWithin(2, 6, last));
  EXPECT_TRUE(log.holdsWithin(0, 6, log.bytes()));
  EXPECT_TRUE(log.holdsWithin(3, 3, 0)) << "what comes after the bound does not count";
  log.trim(3, 0);
  EXPECT_FALSE(log.holdsWithin(2, 6, 1'000'000)) << "not all of that is here";
}

}  // namespace
}  // namespace gavel
