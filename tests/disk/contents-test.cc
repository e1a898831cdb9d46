#include "tests/disk/contents.h"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gavel::disk {
namespace {

using ::testing::ElementsAre;

constexpr auto S = Contents::SECTOR;

class ContentsTest: public ::testing::Test {
protected:
  Contents contents;

  Contents::Id make(const std::string& path) {
    return contents.make(contents.placeOf(path), false);
  }
  void write(Contents::Id file, std::uint64_t offset, const std::string& text) {
    contents.write(file, offset, text.data(), text.size());
  }
  static std::string read(const Contents& from, const std::string& path) {
    auto id = from.find(path);
    if (id == Contents::NONE) return "(none)";
    std::string text(static_cast<std::size_t>(from.size(id)), '?');
    text.resize(from.read(id, 0, text.data(), text.size()));
    return text;
  }
  // All states of the file that may be left when power is lost.
  std::set<std::string> left(const std::string& path) const {
    std::set<std::string> found;
    auto parts = contents.unsynced();
    for (std::size_t mask = 0; mask < std::size_t{1} << parts; ++mask) {
      auto rest = mask;
      found.insert(read(contents.afterPowerLoss([&](Contents::Id) {
        bool kept = rest & 1;
        rest >>= 1;
        return kept;
      }),
                        path));
    }
    return found;
  }
};

TEST_F(ContentsTest, AFileNeedsItsOwnSyncAndItsDirectorys) {
  auto file = make("/a");
  write(file, 0, "text");
  EXPECT_EQ(read(contents, "/a"), "text");
  contents.sync(file);
  EXPECT_THAT(left("/a"), ElementsAre("(none)", "text"));
  contents.syncNames(Contents::ROOT);
  EXPECT_THAT(left("/a"), ElementsAre("text"));
  auto other = make("/b");
  write(other, 0, "text");
  contents.syncNames(Contents::ROOT);
  EXPECT_THAT(left("/b"), ElementsAre("", "text"));
}

TEST_F(ContentsTest, SectorsComeOneByOneButWhatGrowsComesInOrder) {
  auto file = make("/a");
  write(file, 0, std::string(3 * S, '-'));
  contents.sync(file);
  contents.syncNames(Contents::ROOT);
  write(file, 0, std::string(3 * S, 'x'));
  EXPECT_EQ(left("/a").size(), 8u);
  contents.sync(file);
  write(file, 3 * S, std::string(3 * S, 'y'));
  std::set<std::size_t> sizes;
  for (auto& text: left("/a")) {
    sizes.insert(text.size() / S);
    EXPECT_EQ(text, std::string(3 * S, 'x') + std::string(text.size() - 3 * S, 'y'));
  }
  EXPECT_THAT(sizes, ElementsAre(3u, 4u, 5u, 6u));
}

TEST_F(ContentsTest, NamesOfADirectoryChangeInOrder) {
  make("/a");
  contents.rename(contents.placeOf("/a"), contents.placeOf("/b"));
  make("/c");
  EXPECT_EQ(contents.unsynced(), 3u);
  std::set<std::vector<std::string>> found;
  for (unsigned mask = 0; mask < 8; ++mask) {
    auto rest = mask;
    auto now = contents.afterPowerLoss([&](Contents::Id) {
      bool kept = rest & 1;
      rest >>= 1;
      return kept;
    });
    found.insert(now.list(Contents::ROOT));
  }
  EXPECT_EQ(found, (std::set<std::vector<std::string>>{{}, {"a"}, {"b"}, {"b", "c"}}));
}

TEST_F(ContentsTest, ASyncThatFailedIsNotMadeUpForByALaterOne) {
  auto file = make("/a");
  write(file, 0, std::string(S, '-'));
  contents.sync(file);
  contents.syncNames(Contents::ROOT);
  write(file, 0, std::string(S, 'x'));
  contents.failSync(file, [](Contents::Id) { return false; });
  EXPECT_EQ(read(contents, "/a"), std::string(S, 'x')) << "it reads well";
  contents.sync(file);
  EXPECT_THAT(left("/a"), ElementsAre(std::string(S, '-')));
  write(file, 0, std::string(S, 'x'));
  contents.sync(file);
  EXPECT_THAT(left("/a"), ElementsAre(std::string(S, 'x'))) << "written anew";
}

TEST_F(ContentsTest, ACopyGoesItsOwnWay) {
  auto file = make("/a");
  write(file, 0, "one");
  auto copy = contents;
  write(file, 0, "two");
  contents.rename(contents.placeOf("/a"), contents.placeOf("/b"));
  EXPECT_EQ(read(copy, "/a"), "one");
  EXPECT_EQ(read(contents, "/b"), "two");
}

}  // namespace
}  // namespace gavel::disk
