#include "auction/request-records.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace gavel::auction {
namespace {

RequestRecord recordOf(std::uint64_t fingerprint) {
  RequestRecord record;
  record.fingerprint = fingerprint;
  return record;
}

// They behave like a map, in any order of calls.
TEST(RequestRecords, AreThoseThatWerePutAndNotFreed) {
  std::mt19937_64 draw(3);
  for (const std::uint64_t disorder: {1, 20, 1000}) {
    RequestRecords records;
    std::map<std::uint64_t, std::uint64_t> expected;
    std::uint64_t lowest = 0;
    for (std::uint64_t step = 1; step < 20'000; ++step) {
      const std::uint64_t sequence = step + draw() % disorder;
      if (sequence >= lowest) {
        records.put(sequence, recordOf(step));
        expected[sequence] = step;
      }
      if (draw() % 8 == 0 && step > 100) {
        lowest = std::max(lowest, step - draw() % 100);
        records.freeBelow(lowest);
        expected.erase(expected.begin(), expected.lower_bound(lowest));
      }
      ASSERT_EQ(records.size(), expected.size());
      ASSERT_EQ(records.empty(), expected.empty());
      const std::uint64_t asked = lowest + draw() % 200;
      const auto found = records.find(asked);
      ASSERT_EQ(found != records.end(), expected.contains(asked));
      if (found != records.end()) {
        ASSERT_EQ(found->second.fingerprint, expected[asked]);
      }
      ASSERT_EQ(records.end() - records.lower_bound(asked),
                std::distance(expected.lower_bound(asked), expected.end()));
      if (step % 500 != 0) continue;
      auto record = records.begin();
      for (const auto& [key, value]: expected) {
        ASSERT_EQ(record->first, key);
        ASSERT_EQ(record->second.fingerprint, value);
        ++record;
      }
      ASSERT_EQ(record, records.end());
    }
  }
}

TEST(RequestRecords, HoldNoMemoryForThoseThatAreGone) {
  RequestRecords records;
  std::uint64_t sequence = 0;
  const auto put = [&]() {
    ++sequence;
    records.put(sequence, recordOf(sequence));
  };
  while (sequence < 10'000) put();
  records.freeBelow(sequence);
  EXPECT_EQ(records.size(), 1u);
  for (int i = 0; i < 20'000; ++i) {
    put();
    records.freeBelow(sequence);
  }
  EXPECT_LT(records.capacity(), 100u) << "though it was never empty";

  while (sequence < 50'000) put();
  records.freeBelow(sequence + 1);
  EXPECT_TRUE(records.empty());
  EXPECT_LT(records.capacity(), 100u);
}

}  // namespace
}  // namespace gavel::auction
