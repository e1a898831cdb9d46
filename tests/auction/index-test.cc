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
  std::string name;
};

TEST(Index, FindsWhatWasAddedAndNotRemoved) {
  constexpr int COUNT = 20'000;  // All parts grow several times.
  std::deque<Thing> things;
  Index<std::string_view, Thing> index;
  const auto nameOf = [](int i) { return "thing " + std::to_string(i); };
  EXPECT_EQ(index.find("thing 0"), nullptr);
  for (int i = 0; i < COUNT; ++i) {
    Thing& thing = things.emplace_back(Thing{nameOf(i)});
    index.prefetch(thing.name);
    index.add(thing.name, thing);
  }
  for (int i = 0; i < COUNT; i += 2) index.remove(nameOf(i));
  for (int i = 0; i < COUNT; ++i) {
    const std::string name = nameOf(i);
    index.prefetch(name);
    EXPECT_EQ(index.find(name), i % 2 == 0 ? nullptr : &things[i]);
  }
  EXPECT_EQ(index.find(""), nullptr);
}

TEST(Index, KeepsItsElementsWhenMoved) {
  Thing thing{"lamp"};
  Index<std::uint64_t, Thing> index;
  index.add(7, thing);
  Index<std::uint64_t, Thing> moved = std::move(index);
  EXPECT_EQ(moved.find(7), &thing);
  EXPECT_EQ(moved.find(8), nullptr);
}

}  // namespace
}  // namespace gavel::auction::test
