#include "log/durable-marker.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/fakes.h"

namespace gavel {
namespace {

constexpr std::streamoff SLOT_BYTES = 4096;

class MarkerFileTest: public ::testing::Test {
protected:
  gavel::testing::TemporaryDirectory directory;
  std::string path = directory.path() + "/durable";

  static DurableMarker marker(std::uint64_t index) {
    return {7, 3, index * 2, 1, {5, index, 99}, false, {{4, index / 2, 98}, 6}};
  }
  void flip(std::streamoff offset) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(offset);
    char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(offset);
    file.put(byte);
  }
  // The marker that is recovered; with index 0 if there is none.
  DurableMarker recovered() {
    MarkerFile file(path);
    KJ_IF_MAYBE (found, file.recovered()) {
      return *found;
    }
    return {};
  }
};

TEST_F(MarkerFileTest, RecoversTheNewest) {
  {
    MarkerFile file(path);
    EXPECT_TRUE(file.made());
    EXPECT_TRUE(file.recovered() == nullptr);
  }
  for (std::uint64_t i = 1; i <= 5; ++i) {
    MarkerFile file(path);
    EXPECT_FALSE(file.made());
    EXPECT_FALSE(file.unreadable());
    file.write(marker(i * 2));
    EXPECT_EQ(recovered(), marker(i * 2));
    file.write(marker(i * 2 + 1));
    file.sync();
    EXPECT_EQ(recovered(), marker(i * 2 + 1));
  }
  EXPECT_EQ(std::filesystem::file_size(path), 2u * SLOT_BYTES) << "of a fixed size";
}

TEST_F(MarkerFileTest, AnyBitOfASlotMakesItUnreadable) {
  {
    MarkerFile file(path);
    file.write(marker(1));
    file.write(marker(2));
  }
  for (std::streamoff at = 0; at < 88; ++at) {
    flip(SLOT_BYTES + at);
    MarkerFile file(path);
    EXPECT_TRUE(file.unreadable());
    EXPECT_EQ(recovered(), marker(1)) << "the older one is true as well";
    flip(SLOT_BYTES + at);
  }
  EXPECT_EQ(recovered(), marker(2));
  flip(10);
  flip(SLOT_BYTES + 10);
  EXPECT_TRUE(MarkerFile(path).recovered() == nullptr);
  EXPECT_TRUE(MarkerFile(path).unreadable());
}

TEST_F(MarkerFileTest, WritesOverTheSlotThatDoesNotCount) {
  {
    MarkerFile file(path);
    file.write(marker(1));
    file.write(marker(2));
  }
  flip(SLOT_BYTES + 10);
  MarkerFile file(path);
  file.write(marker(3));
  EXPECT_EQ(recovered(), marker(3));
  EXPECT_FALSE(MarkerFile(path).unreadable());
  flip(SLOT_BYTES + 10);
  EXPECT_EQ(recovered(), marker(1)) << "the newest one at that time was not written over";
}

}  // namespace
}  // namespace gavel
