#include "auction/records.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/auction/filled.h"

// Records as bytes, alone and framed, and the refusal of other bytes.
namespace gavel::auction::test {
namespace {

using namespace std::string_view_literals;

// The complaint of `action` about bad records; empty if it has none.
std::string complaint(const std::function<void()>& action) {
  try {
    action();
    return "";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

std::vector<RecordReader::Record> readAll(std::string_view bytes) {
  std::vector<RecordReader::Record> records;
  RecordReader reader(bytes);
  while (const auto record = reader.next()) records.push_back(*record);
  return records;
}

TEST(Key, IsTheKindAndBigEndianIds) {
  EXPECT_EQ(auctionKey(0x0102), "a\0\0\0\0\0\0\1\2"sv);
  EXPECT_EQ(bidderKey(UINT64_MAX), "b\xff\xff\xff\xff\xff\xff\xff\xff"sv);
  EXPECT_EQ(endedKey(3), "e\0\0\0\0\0\0\0\3"sv);
  EXPECT_EQ(versionsKey(3, 0x0400), "h\0\0\0\0\0\0\0\3\0\0\0\0\0\0\4\0"sv);
  EXPECT_EQ(sessionKey(5), "s\0\0\0\0\0\0\0\5"sv);
  EXPECT_EQ(nameKey("lamp"), "nlamp");
  EXPECT_EQ(TOTALS_KEY, "m");
  EXPECT_LT(versionsKey(1, 255), versionsKey(1, 256));
  EXPECT_LT(versionsKey(1, UINT64_MAX), versionsKey(2, 1));
}

TEST(Key, TellsItsKindAndId) {
  EXPECT_EQ(kindOf(auctionKey(1)), RecordKind::auction);
  EXPECT_EQ(kindOf(versionsKey(1, 1)), RecordKind::versions);
  EXPECT_EQ(kindOf(nameKey("x")), RecordKind::name);
  EXPECT_EQ(kindOf(TOTALS_KEY), RecordKind::totals);
  EXPECT_EQ(idOf(auctionKey(0x0102030405060708)), 0x0102030405060708u);
  EXPECT_EQ(idOf(versionsKey(UINT64_MAX, 1)), UINT64_MAX);
}

TEST(Key, ThatIsNoneIsRefused) {
  const std::vector<std::string> bad{
      "",         "a",  "x12345678", auctionKey(1) + "x",         "h12345678",
      "a1234567", "mm", "n",         "n" + std::string(129, 'n'), std::string(9, '\0')};
  for (const std::string& key: bad) {
    EXPECT_NE(complaint([&] { kindOf(key); }).find("key 0x"), std::string::npos) << key;
  }
  EXPECT_EQ(complaint([&] { idOf("m"); }), "bad record: key 0x6d");
}

TEST(Value, IsReadAsItWasWritten) {
  Log log;
  fill(log);
  const auto expectSame = [](const auto& value, auto decode) {
    std::string bytes = "before";
    encode(value, bytes);
    ASSERT_EQ(bytes.substr(0, 6), "before") << "appended";
    bytes.erase(0, 6);
    std::string again;
    encode(decode(bytes), again);
    EXPECT_EQ(again, bytes);
    EXPECT_THROW(decode(bytes + "x"), std::runtime_error);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_THROW(decode(bytes.substr(0, size)), std::runtime_error) << size;
    }
  };
  expectSame(log.auction("lamp"), decodeAuction);
  expectSame(log.auction("chair"), decodeAuction);
  expectSame(*log.state.findBidder("ann"), decodeBidder);
  expectSame(*log.state.findSession(log.session), decodeSession);
  expectSame(log.auction("lamp").history, decodeVersions);
  expectSame(Totals{1, 2, 3, 4, 5, 6, 7, {8, 9}}, decodeTotals);
  EXPECT_EQ(decodeName(encodeName(0x0102030405060708)), 0x0102030405060708u);
  EXPECT_THROW(decodeName("1234567"), std::runtime_error);
  EXPECT_THROW(decodeName("123456789"), std::runtime_error);
}

// Versions 1 to 10 of auction 7, in two records.  The first ends at `split`.
struct Pages {
  std::vector<Version> all;
  std::string first, second;
  std::uint64_t split;

  explicit Pages(std::uint64_t split): split(split) {
    for (std::uint64_t i = 1; i <= 10; ++i) all.push_back({Version::Kind::bid, 0, i});
    encode(std::span<const Version>(all).first(split), first);
    encode(std::span<const Version>(all).subspan(split), second);
  }

  // The indexes of the versions that are found.
  std::vector<std::uint64_t> take(std::uint64_t from, std::uint64_t count) const {
    VersionsPage page(7, from, count);
    if (page.firstKey() <= versionsKey(7, split)) {
      EXPECT_TRUE(page.add(versionsKey(7, split), first));
    }
    if (!page.complete()) page.add(versionsKey(7, 10), second);
    std::vector<std::uint64_t> indexes;
    for (auto& version: page.versions()) indexes.push_back(version.index);
    return indexes;
  }
};

TEST(VersionsPage, TakesWhatIsAskedForOutOfTheRecords) {
  for (std::uint64_t split = 1; split < 10; ++split) {
    const Pages pages(split);
    for (std::uint64_t from = 1; from <= 10; ++from) {
      for (std::uint64_t count = 1; count <= 12; ++count) {
        std::vector<std::uint64_t> expected;
        for (auto i = from; i < from + count && i <= 10; ++i) expected.push_back(i);
        EXPECT_EQ(pages.take(from, count), expected) << split << " " << from << " " << count;
      }
    }
  }
}

TEST(VersionsPage, StopsAtAGapAndAtTheNextAuction) {
  const Pages pages(4);
  VersionsPage page(7, 2, 9);
  EXPECT_FALSE(page.add(versionsKey(7, 10), pages.second));
  EXPECT_TRUE(page.add(versionsKey(7, 4), pages.first));
  EXPECT_FALSE(page.add(versionsKey(7, 11), pages.second));
  EXPECT_FALSE(page.add(versionsKey(8, 10), pages.second));
  EXPECT_FALSE(page.add(nameKey("lamp"), pages.second));
  EXPECT_EQ(page.versions().size(), 3u);
  EXPECT_THROW(page.add(versionsKey(7, 5), pages.second), std::runtime_error);
}

TEST(Value, OfAnAuctionHasItsLastVersionsAndTheirNumberAndDigest) {
  Log log;
  fill(log);
  const Auction& lamp = log.auction("lamp");
  std::string bytes;
  encode(lamp, bytes);
  const Auction read = decodeAuction(bytes);
  EXPECT_EQ(lamp.version(), 3u);
  EXPECT_EQ(read.version(), 3u);
  EXPECT_EQ(read.history.size(), 3u);
  EXPECT_EQ(read.released, 0u);
  EXPECT_EQ(read.captured, lamp.version());
  EXPECT_EQ(read.historyDigest, lamp.historyDigest);
  EXPECT_EQ(read.duration, 1000);
  EXPECT_GT(read.deadline, read.created + read.duration) << "moved by the soft close";

  std::uint64_t digest = 0;
  for (const Version& version: read.history) digest = digestAfter(digest, version);
  EXPECT_EQ(digest, lamp.historyDigest);
}

TEST(DigestSum, IsTheSameInAnyOrder) {
  Log log;
  fill(log);
  DigestSum one, other;
  one.add(log.auction("vase"));
  one.add(log.auction("chair"));
  other.add(log.auction("chair"));
  EXPECT_NE(one, other);
  other.add(log.auction("vase"));
  EXPECT_EQ(one, other);
  other.add(log.auction("vase"));
  EXPECT_NE(one, other);
}

TEST(Framing, IsLengthsAndBytes) {
  std::string bytes;
  RecordWriter writer(bytes);
  writer.put("key", "value");
  writer.remove("gone");
  writer.put("empty", "");
  EXPECT_EQ(bytes,
            "\3\0\0\0key\5\0\0\0value"
            "\4\0\0\0gone\xff\xff\xff\xff"
            "\5\0\0\0empty\0\0\0\0"sv);
  const auto records = readAll(bytes);
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].key, "key");
  EXPECT_EQ(records[0].value, "value");
  EXPECT_EQ(records[1].key, "gone");
  EXPECT_EQ(records[1].value, std::nullopt);
  EXPECT_EQ(records[2].key, "empty");
  EXPECT_EQ(records[2].value, "");
  EXPECT_TRUE(readAll("").empty());
}

TEST(Framing, EncodesInPlaceWhatPutCopies) {
  const std::vector<Version> versions{{Version::Kind::bid, 1, 2, 3, 4, 5}};
  std::string value, copied, inPlace = "before";
  encode(versions, value);
  RecordWriter(copied).put("key", value);
  RecordWriter(inPlace).encode("key", versions);
  EXPECT_EQ(inPlace, "before" + copied);
}

TEST(Framing, ThatEndsTooEarlyIsRefusedWithItsOffset) {
  std::string bytes;
  RecordWriter writer(bytes);
  writer.put("key", "value");
  const std::size_t whole = bytes.size();
  writer.put("key2", "value2");
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    if (size == whole) continue;
    const std::string said = complaint([&] { readAll(std::string_view(bytes).substr(0, size)); });
    EXPECT_NE(said.find("offset"), std::string::npos) << size;
  }
  EXPECT_EQ(complaint([&] { readAll(std::string_view(bytes).substr(0, whole + 6)); }),
            "bad records at offset 20: a key of 4 bytes, but 2 left");
  EXPECT_EQ(complaint([&] { readAll("\xff\xff\xff\xff"sv); }),
            "bad records at offset 4: a key of 4294967295 bytes, but 0 left");
}

// Decodes any bytes; returns false if they are refused.
bool decodes(RecordKind kind, std::string_view bytes) {
  const auto tryOne = [&](auto decode) {
    std::string again;
    if (!complaint([&] { encode(decode(bytes), again); }).empty()) return false;
    EXPECT_EQ(again, bytes) << "each value has one encoding";
    return true;
  };
  switch (kind) {
    case RecordKind::auction:
    case RecordKind::endedAuction:
      return tryOne(decodeAuction);
    case RecordKind::bidder:
      return tryOne(decodeBidder);
    case RecordKind::versions:
      return tryOne(decodeVersions);
    case RecordKind::totals:
      return tryOne(decodeTotals);
    case RecordKind::session:
      return tryOne(decodeSession);
    case RecordKind::name:
      return complaint([&] { decodeName(bytes); }).empty();
  }
  return false;
}

TEST(Damage, NeverCrashesWhoReadsAValue) {
  const Shelf shelf = filledShelf();
  int accepted = 0, refused = 0;
  for (const auto& [key, value]: shelf.records) {
    ASSERT_TRUE(decodes(kindOf(key), value));
    for (std::uint32_t seed = 0; seed < 300; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      (decodes(kindOf(key), damage(value, seed)) ? accepted : refused) += 1;
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(accepted, 500);
  EXPECT_GT(refused, 500);
}

TEST(Damage, NeverCrashesWhoReadsFramedRecords) {
  const std::string bytes = framed(filledShelf());
  int refused = 0;
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::string damaged = damage(bytes, seed);
    const std::string said = complaint([&] { readAll(damaged); });
    refused += !said.empty();
    EXPECT_TRUE(said.empty() || said.starts_with("bad records at offset ")) << said;
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace gavel::auction::test
