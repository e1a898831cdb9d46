#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include "tests/auction/filled.h"

// What a state gives to its store and then forgets.  Neither shows in its hash.
namespace gavel::auction::test {
namespace {

// The changes' records: their keys, with a '-' before those that are removed.
std::vector<std::string> keys(const Changes& changes) {
  std::vector<std::string> keys;
  RecordReader reader(changes.records);
  while (const auto record = reader.next()) {
    keys.push_back((record->value ? "" : "-") + std::string(record->key));
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::string hex(const std::array<std::uint8_t, 32>& bytes) {
  std::string hex;
  for (const std::uint8_t byte: bytes) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

std::array<std::uint8_t, 32> sha256(const std::string& bytes) {
  std::array<std::uint8_t, 32> digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

using Keys = std::vector<std::string>;

TEST(Capture, HoldsWhatHasChangedSinceTheLast) {
  Log log;  // Its session is 1.
  log.apply(create("lamp"));
  Changes changes = log.state.capture();
  EXPECT_EQ(changes.lastIndex, 2u);
  EXPECT_EQ(keys(changes),
            (Keys{auctionKey(2), bidderKey(1), "m", nameKey("lamp"), sessionKey(1)}));
  EXPECT_TRUE(changes.toRelease.empty());

  log.apply(bid("lamp", "ann", 10));
  log.apply(bid("lamp", "ann", 20));
  changes = log.state.capture();
  EXPECT_EQ(changes.lastIndex, 4u);
  EXPECT_EQ(keys(changes), (Keys{auctionKey(2), bidderKey(2), "m", sessionKey(1)}));
  EXPECT_TRUE(changes.toRelease.empty());

  log.apply(bid("lamp", "ann", 20));  // Too low: only its outcome is recorded.
  changes = log.state.capture();
  EXPECT_EQ(keys(changes), (Keys{"m", sessionKey(1)}));
  EXPECT_TRUE(changes.toRelease.empty());

  log.closeExpired(5000);
  changes = log.state.capture();
  EXPECT_EQ(keys(changes), (Keys{"-" + auctionKey(2), endedKey(2), versionsKey(2, 4), "m"}));
  ASSERT_EQ(changes.toRelease.size(), 1u);
  EXPECT_EQ(changes.toRelease[0].id, 2u);
  EXPECT_EQ(changes.toRelease[0].versions, 4u);
  EXPECT_TRUE(changes.toRelease[0].over);

  const std::uint64_t other = log.openSession();
  log.apply(log.proposal(ExpireSessions{5000}));
  changes = log.state.capture();
  EXPECT_EQ(keys(changes), (Keys{"-" + sessionKey(1), "m", sessionKey(other)}));
}

// The last versions of open auctions are in their records, up to a multiple of four.
TEST(Capture, PutsAFewVersionsIntoTheAuction) {
  Log log(plainTerms(1'000'000));
  Shelf shelf;
  for (std::uint64_t version = 1; version <= 13; ++version) {
    if (version > 1) log.apply(bid("lamp", "ann", static_cast<Amount>(10 * version)));
    const Changes changes = log.state.capture();
    shelf.put(changes);
    const bool apart = version % VERSIONS_TOGETHER == 0;
    EXPECT_EQ(shelf.records.contains(versionsKey(2, version)), apart);
    const Auction stored = decodeAuction(shelf.records.at(auctionKey(2)));
    EXPECT_EQ(stored.history.size(), version % VERSIONS_TOGETHER);
    EXPECT_EQ(stored.version(), version);
    EXPECT_EQ(shelf.history(2).size(), version);
    ASSERT_EQ(changes.toRelease.size(), version < VERSIONS_TOGETHER ? 0u : 1u);
    if (version >= VERSIONS_TOGETHER) {
      EXPECT_EQ(changes.toRelease[0].versions, version - version % VERSIONS_TOGETHER);
    }
  }
}

TEST(Capture, PutsManyVersionsIntoFewRecords) {
  Log log(plainTerms(1'000'000));
  for (int i = 1; i <= 1100; ++i) log.apply(bid("lamp", "ann", 10 * i));
  const Changes changes = log.state.capture();
  EXPECT_EQ(keys(changes), (Keys{auctionKey(2), bidderKey(1), bidderKey(2), versionsKey(2, 512),
                                 versionsKey(2, 1024), versionsKey(2, 1100), "m", nameKey("lamp"),
                                 sessionKey(1)}));
  const Shelf shelf(changes);
  EXPECT_EQ(shelf.history(2).size(), 1101u);
}

TEST(Capture, OfAnAuctionThatCameAndWentHoldsOnlyItsEnd) {
  Log log(plainTerms());
  log.closeExpired(5000);
  EXPECT_EQ(keys(log.state.capture()), (Keys{bidderKey(1), endedKey(2), versionsKey(2, 2), "m",
                                             nameKey("lamp"), sessionKey(1)}));
}

TEST(Capture, IsEmptyWhereNothingHasChanged) {
  State empty;
  EXPECT_TRUE(empty.capture().records.empty());
  Log log;
  fill(log);
  const Shelf shelf(log.state.capture());
  EXPECT_TRUE(log.state.capture().records.empty());
  EXPECT_EQ(log.state.capture().lastIndex, log.state.lastIndex());
  State loaded = shelf.load();
  EXPECT_TRUE(loaded.capture().records.empty());
}

TEST(Capture, OfALoadedStateHoldsOnlyWhatHasChangedSince) {
  Log log;
  fill(log);
  const Shelf shelf(log.state.capture());
  log.state = shelf.load();
  log.apply(bid("lamp", "bob", 61));  // Too low.
  EXPECT_EQ(keys(log.state.capture()), (Keys{"m", sessionKey(log.session)}));
  log.apply(bid("lamp", "bob", 100));
  const AuctionId lamp = log.auction().id;
  ASSERT_EQ(log.auction().version(), 4u);
  EXPECT_EQ(keys(log.state.capture()),
            (Keys{auctionKey(lamp), versionsKey(lamp, 4), "m", sessionKey(log.session)}));
}

TEST(Capture, GoesOnAfterMovesOfTheState) {
  Log log;
  fill(log);
  const auto hash = log.state.hash();
  State moved = std::move(log.state);
  EXPECT_EQ(moved.hash(), hash);
  State assigned;
  assigned = std::move(moved);
  EXPECT_EQ(assigned.hash(), hash);
  EXPECT_NE(assigned.findAuction("lamp"), nullptr);
  EXPECT_NE(assigned.findBidder("ann"), nullptr);
  EXPECT_EQ(assigned.nextDeadline(), 2150);
  const Changes changes = assigned.capture();
  EXPECT_EQ(Shelf(changes).records, filledShelf().records);
  assigned.release(changes);
  EXPECT_EQ(assigned.hash(), hash);
}

// Nodes of different builds exchange records.  If this fails, the layout or the rules have changed.
// Then RECORD_FORMAT, or the format version of the chain (R14), has to change as well.
TEST(Capture, HasTheSameBytesForEver) {
  Log log;
  fill(log);
  EXPECT_EQ(hex(log.state.hash()),
            "c44319aa34a3e6b004c5f6571311b30f935d498bff773311b47ab73d5e4baa51");
  EXPECT_EQ(hex(sha256(framed(filledShelf()))),
            "e0af566935e910061802f7dceabfde21324406bbdd3614619da3d72479d318bc");
}

TEST(Hash, IsTheSha256OfTheRecordsInMemory) {
  Log log;
  fill(log);
  const std::string long_(MAX_ITEM_BYTES, 'x');
  Terms terms = plainTerms(1'000'000);
  terms.item = long_;
  for (int i = 0; i < 20; ++i) log.apply(create("tome " + std::to_string(i), terms));
  const Shelf shelf(log.state.capture());
  std::string bytes;
  for (const char kind: {'m', 'a', 'b', 's'}) {
    for (const auto& [key, value]: shelf.records) {
      if (key.front() == kind) bytes += value;
    }
  }
  EXPECT_EQ(hex(log.state.hash()), hex(sha256(bytes)));
}

TEST(Hash, ShowsAuctionsThatAreOver) {
  const auto hashAfter = [](Amount amount) {
    Log log(plainTerms());
    log.apply(bid("lamp", "ann", amount));
    log.applyAt(1500, CloseAuction{"lamp", identity("owner")});
    log.apply(log.proposal(ExpireSessions{2000}));
    return log.state.hash();
  };
  EXPECT_EQ(hashAfter(100), hashAfter(100));
  EXPECT_NE(hashAfter(100), hashAfter(101));
}

TEST(Hash, ShowsVersionsThatAreNotInMemory) {
  // These differ in the amount of the first bid only, which only the history shows.
  const auto hashAfter = [](Amount first) {
    Log log(plainTerms());
    log.state.release(log.state.capture());
    log.apply(bid("lamp", "ann", first));
    log.apply(bid("lamp", "ann", 500));
    log.apply(bid("lamp", "ann", 600));
    log.apply(log.proposal(ExpireSessions{2000}));  // Records of requests would show it as well.
    log.state.release(log.state.capture());
    EXPECT_TRUE(log.auction().history.empty());
    return log.state.hash();
  };
  EXPECT_EQ(hashAfter(100), hashAfter(100));
  EXPECT_NE(hashAfter(100), hashAfter(101));
}

// A capture in steps, while entries of all kinds are applied.
TEST(CaptureInSteps, IsOfTheStateAsItWasWhenItBegan) {
  Log log(plainTerms());
  const std::uint64_t idle = log.openSession();
  for (const char* name: {"vase", "chair", "table"}) {
    log.apply(create(name, plainTerms(name == std::string("vase") ? 100 : 5000)));
  }
  log.apply(bid("lamp", "ann", 100));
  log.state.beginCapture();
  const auto before = log.state.hash();
  EXPECT_TRUE(log.state.capturing());

  // Changes what was changed, ends it, adds more, and ends sessions.
  log.apply(bid("lamp", "bob", 200));
  log.apply(create("clock"));
  EXPECT_FALSE(log.state.continueCapture(1));
  log.apply(CancelAuction{"chair", identity("owner")});
  log.closeExpired(1500);
  log.apply(bid("table", "cid", 300));
  log.apply(log.proposal(ExpireSessions{1200, 1}));
  EXPECT_EQ(log.state.findSession(idle), nullptr);
  while (!log.state.continueCapture(1)) {
  }
  Shelf shelf(log.state.endCapture());
  EXPECT_FALSE(log.state.capturing());
  EXPECT_EQ(hex(shelf.load().hash()), hex(before));

  shelf.put(log.state.capture());
  EXPECT_EQ(hex(shelf.load().hash()), hex(log.state.hash()));
}

TEST(CaptureInSteps, CountsWhatComesMeanwhileForTheNextOne) {
  Log log(plainTerms());
  log.state.beginCapture();
  EXPECT_EQ(log.state.uncaptured(), 0u);
  log.apply(bid("lamp", "ann", 100));
  EXPECT_EQ(log.state.uncaptured(), 3u) << "auction, bidder, session";
  while (!log.state.continueCapture(1)) {
  }
  log.state.endCapture();
  EXPECT_EQ(keys(log.state.capture()),
            (Keys{auctionKey(2), bidderKey(2), "m", sessionKey(log.session)}));
}

// A log whose state has a store.
class Release: public testing::Test {
protected:
  Shelf shelf;
  Log log;

  Release() {
    log.state = State(&shelf);
    log.session = log.openSession();
    log.sequence = 0;
    log.apply(create("lamp"));
  }
  ~Release() noexcept override = default;

  Changes store() {
    Changes changes = log.state.capture();
    shelf.put(changes);
    return changes;
  }
};

TEST_F(Release, ForgetsVersionsThatAreStoredAndNoOthers) {
  const auto bids = [this](Amount last) {
    for (Amount amount = log.auction().highest + 10; amount <= last; amount += 10) {
      log.apply(bid("lamp", "ann", amount));
    }
  };
  bids(40);  // Version 5.
  const Changes first = store();
  bids(80);  // Version 9.
  const Changes second = store();
  bids(90);
  const auto hash = log.state.hash();

  log.state.release(first);
  EXPECT_EQ(log.auction().released, 4u);
  EXPECT_EQ(log.auction().version(), 10u);
  EXPECT_EQ(log.auction().findVersion(4), nullptr);
  ASSERT_NE(log.auction().findVersion(5), nullptr);
  EXPECT_EQ(log.auction().findVersion(5)->amount, 40);
  EXPECT_EQ(log.auction().findVersion(10)->amount, 90);
  EXPECT_EQ(log.auction().findVersion(11), nullptr);
  EXPECT_EQ(log.auction().findVersion(0), nullptr);

  log.state.release(second);
  log.state.release(first);  // This is late, or repeated.
  EXPECT_EQ(log.auction().released, 8u);
  EXPECT_EQ(log.auction().history.size(), 2u) << "which the auction's record holds";
  EXPECT_EQ(log.state.hash(), hash);
  EXPECT_EQ(log.apply(bid("lamp", "bob", 100)).version, 11u);
  store();
  EXPECT_EQ(shelf.history(log.auction().id).size(), 11u);
}

TEST_F(Release, LeavesMemoryForAFewVersionsOnly) {
  for (int i = 1; i <= 1000; ++i) log.apply(bid("lamp", "ann", 10 * i));
  EXPECT_GE(log.auction().history.capacity(), 1001u);
  log.state.release(store());
  EXPECT_EQ(log.auction().history.size(), 1u);
  EXPECT_LE(log.auction().history.capacity(), 4 * (1 + VERSIONS_TOGETHER));
}

TEST_F(Release, KeepsAnAuctionThatEndedAfterTheCapture) {
  const Changes open = store();
  log.closeExpired(5000);
  log.state.release(open);
  ASSERT_NE(log.state.findAuction("lamp"), nullptr);
  const auto hash = log.state.hash();
  log.state.release(store());
  EXPECT_EQ(log.state.findAuction("lamp"), nullptr);
  EXPECT_EQ(log.state.findAuction(AuctionId(3)), nullptr);
  EXPECT_TRUE(log.state.listAuctions(0, 10).empty());
  EXPECT_EQ(log.state.auctionCount(), 1u);
  EXPECT_EQ(log.state.hash(), hash);
}

TEST_F(Release, LeavesTheNameTakenAndTheAuctionOver) {
  log.apply(bid("lamp", "ann", 10));
  log.closeExpired(5000);
  log.state.release(store());
  ASSERT_EQ(log.state.findAuction("lamp"), nullptr);

  EXPECT_EQ(log.apply(create("lamp")).kind, Kind::alreadyExists);
  EXPECT_EQ(log.apply(bid("lamp", "ann", 100)).kind, Kind::closed);
  EXPECT_FALSE(log.judge(bid("lamp", "ann", 100)).log);
  EXPECT_EQ(log.apply(Bid{"lamp", impostor("ann"), 100}).kind, Kind::notYours);
  EXPECT_EQ(log.apply(CloseAuction{"lamp", identity("owner")}).kind, Kind::closed);
  EXPECT_EQ(log.apply(CancelAuction{"lamp", identity("owner")}).kind, Kind::closed);
  EXPECT_EQ(log.apply(CloseAuction{"lamp", identity("ann")}).kind, Kind::notYours);
  EXPECT_EQ(log.apply(CancelAuction{"lamp", impostor("owner")}).kind, Kind::notYours);

  // A newcomer is registered even so, which needs the log.
  EXPECT_TRUE(log.judge(bid("lamp", "newcomer", 100)).log);
  EXPECT_EQ(log.apply(bid("lamp", "newcomer", 100)).kind, Kind::closed);
  EXPECT_NE(log.state.findBidder("newcomer"), nullptr);
  EXPECT_EQ(log.apply(bid("vase", "ann", 100)).kind, Kind::noSuchAuction);
}

TEST_F(Release, IsRememberedByALoadedState) {
  log.closeExpired(5000);
  log.state.release(store());
  log.state = shelf.load();
  EXPECT_EQ(log.state.auctionCount(), 1u);
  EXPECT_EQ(log.apply(create("lamp")).kind, Kind::alreadyExists);
  EXPECT_EQ(log.apply(bid("lamp", "ann", 100)).kind, Kind::closed);
}

TEST_F(Release, AsksTheStoreOnlyForNamesThatMayBeThere) {
  log.apply(bid("lamp", "ann", 10));
  log.apply(create("vase"));
  store();
  log.applyAt(1500, CloseAuction{"lamp", identity("owner")});
  log.apply(bid("lamp", "ann", 100));
  EXPECT_EQ(shelf.found, 0) << "it is in memory still";
  log.state.release(store());
  log.apply(bid("vase", "ann", 100));
  EXPECT_EQ(shelf.found, 0);
}

}  // namespace
}  // namespace gavel::auction::test
