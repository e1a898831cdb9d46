#include "auction/index.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace gavel::auction::test {
namespace {

struct Thing {
  std::uint64_t id;
  std::string name;
};
using ByName = Index<std::string_view, Thing, &Thing::name>;

TEST(Index, FindsWhatWasAddedAndNotRemoved) {
  constexpr std::size_t COUNT = 20'000;  // All parts grow several times.
  std::deque<Thing> things;
  ByName index;
  EXPECT_EQ(index.find("thing 0"), nullptr);
  for (std::size_t i = 0; i < COUNT; ++i) {
    index.add(things.emplace_back(Thing{i, "thing " + std::to_string(i)}));
  }
  for (std::size_t i = 0; i < COUNT; i += 2) index.remove(things[i]);
  for (std::size_t i = 0; i < COUNT; ++i) {
    EXPECT_EQ(index.find("thing " + std::to_string(i)), i % 2 == 0 ? nullptr : &things[i]);
  }
  EXPECT_EQ(index.find(""), nullptr);
}

TEST(Index, PrefetchesWhatIsThereAndWhatIsNot) {
  Thing lamp{1, "lamp"};
  ByName index;
  index.add(lamp);
  for (const auto* name: {"lamp", "clock"}) {
    index.prefetchPlace(name);
    index.prefetchElement(name);
  }
  EXPECT_EQ(index.find("lamp"), &lamp);
}

// Only the key itself distinguishes equal places of the table.  This key has a poor hash.
struct Poor {
  int value;
  bool operator==(const Poor& other) const { return value == other.value; }
  template <typename H>
  friend H AbslHashValue(H state, const Poor&) {
    return state;
  }
};
struct OfPoor {
  Poor key;
};

TEST(Index, TellsKeysOfTheSameHashApart) {
  OfPoor one{{1}};
  OfPoor two{{2}};
  Index<Poor, OfPoor, &OfPoor::key> index;
  index.add(one);
  index.add(two);
  EXPECT_EQ(index.find({1}), &one);
  EXPECT_EQ(index.find({2}), &two);
  index.remove(one);
  EXPECT_EQ(index.find({1}), nullptr);
  EXPECT_EQ(index.find({2}), &two);
}

TEST(Index, KeepsItsElementsWhenMoved) {
  Thing thing{7, "lamp"};
  Index<std::uint64_t, Thing, &Thing::id> index;
  index.add(thing);
  auto moved = std::move(index);
  EXPECT_EQ(moved.find(7), &thing);
  EXPECT_EQ(moved.find(8), nullptr);
}

}  // namespace
}  // namespace gavel::auction::test
