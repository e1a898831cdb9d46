#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/auction/filled.h"

// From records back to a state, and the refusal of records that make up none.
namespace gavel::auction::test {
namespace {

// The complaint about records that make up no state; empty if they make up one, which then has to
// work.
std::string complaint(const Shelf& shelf) {
  Log log;
  try {
    log.state = shelf.load();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("bad"), std::string::npos) << error.what();
    return error.what();
  }
  if (log.state.lastIndex() > UINT64_MAX - 10 || log.state.lastStamp() > INT64_MAX - 10) return "";
  log.now = log.state.lastStamp() + 1;
  log.session = log.openSession();
  log.sequence = 0;
  log.apply(bid("lamp", "dan", 5000));
  log.apply(create("table"));
  log.apply(bid("table", "dan", 5000));
  log.apply(log.proposal(ExpireSessions{log.now}));
  log.closeExpired(INT64_MAX);
  EXPECT_EQ(log.state.nextDeadline(), std::nullopt);
  log.state.hash();
  log.state.release(log.state.capture());
  return "";
}

bool loads(const Shelf& shelf) {
  return complaint(shelf).empty();
}

TEST(Loader, MakesTheWholeState) {
  Log log;
  fill(log);
  const Shelf shelf(log.state.capture());
  State loaded = shelf.load();
  EXPECT_EQ(loaded.hash(), log.state.hash());
  EXPECT_EQ(loaded.lastIndex(), log.state.lastIndex());
  EXPECT_EQ(loaded.lastStamp(), 2000);
  EXPECT_EQ(loaded.auctionCount(), 3u);
  EXPECT_EQ(loaded.bidderCount(), 4u);
  EXPECT_EQ(loaded.sessionCount(), 2u);
  EXPECT_EQ(loaded.nextDeadline(), log.state.nextDeadline());
  EXPECT_EQ(loaded.idlestSession(), log.state.idlestSession());
  EXPECT_EQ(loaded.findAuction("lamp")->nextValid(), 63);
  EXPECT_EQ(loaded.findAuction("vase"), nullptr) << "it is over, and in the store";
  EXPECT_EQ(loaded.findBidder("cid")->credential, identity("cid").credential);

  // It continues in the same way.
  const Entry next = log.request(bid("lamp", "dan", 63), {log.session, 31, 31});
  EXPECT_EQ(loaded.apply(next), log.state.apply(next));
  EXPECT_EQ(loaded.hash(), log.state.hash());
}

TEST(Loader, MakesTheEmptyStateOfNothing) {
  const Shelf shelf;
  State loaded = shelf.load();
  EXPECT_EQ(loaded.lastIndex(), 0u);
  EXPECT_EQ(loaded.hash(), State().hash());
  EXPECT_TRUE(loaded.capture().records.empty());
}

TEST(Loader, TakesRecordsInAnyOrder) {
  const Shelf shelf = filledShelf();
  Loader loader;
  for (auto record = shelf.records.rbegin(); record != shelf.records.rend(); ++record) {
    loader.add(record->first, record->second);
  }
  EXPECT_EQ(loader.finish(shelf).hash(), shelf.load().hash());
}

TEST(Loader, NoticesEveryRecordThatIsMissing) {
  const Shelf shelf = filledShelf();
  int ignored = 0;
  for (const auto& [key, value]: shelf.records) {
    Shelf without = shelf;
    without.records.erase(key);
    switch (kindOf(key)) {
      case RecordKind::endedAuction:
      case RecordKind::versions:
      case RecordKind::name:
        ignored += 1;  // Auctions that are not kept in memory.
        EXPECT_EQ(without.load().hash(), shelf.load().hash());
        break;
      default:
        EXPECT_FALSE(loads(without)) << describeKey(key);
    }
  }
  EXPECT_GT(ignored, 5);
}

TEST(Loader, RefusesARecordTwiceAndWhatItDoesNotKnow) {
  const Shelf shelf = filledShelf();
  for (const auto& [key, value]: shelf.records) {
    const RecordKind kind = kindOf(key);
    if (kind == RecordKind::endedAuction || kind == RecordKind::versions ||
        kind == RecordKind::name) {
      continue;
    }
    Loader loader;
    const auto again = [&, &key = key, &value = value] {
      loader.add(key, value);
      loader.add(key, value);
    };
    EXPECT_THROW(again(), std::runtime_error) << describeKey(key);
  }
  Loader loader;
  EXPECT_THROW(loader.add("x12345678", ""), std::runtime_error);
  EXPECT_THROW(loader.add("", ""), std::runtime_error);
}

TEST(Loader, SaysWhichRecordIsBadAndWhy) {
  Shelf shelf = filledShelf();
  shelf.records[bidderKey(2)].pop_back();
  EXPECT_EQ(complaint(shelf),
            "the record with key 0x620000000000000002 is bad: bad record at offset 15: 32 bytes "
            "expected, 31 left");
  shelf = filledShelf();
  shelf.records[bidderKey(9)] = shelf.records[bidderKey(2)];
  EXPECT_EQ(complaint(shelf), "the record with key 0x620000000000000009 is bad: it has the id 2");
  shelf = filledShelf();
  shelf.records.erase(bidderKey(4));
  EXPECT_EQ(complaint(shelf), "bad records: 3 bidders, but the totals say 4");
}

TEST(Loader, NeverCrashesOnASingleDamagedByte) {
  const Shelf shelf = filledShelf();
  int loaded = 0, refused = 0;
  for (const auto& [key, value]: shelf.records) {
    Shelf damaged = shelf;
    for (std::size_t at = 0; at < value.size(); ++at) {
      for (const int flip: {0x01, 0x80, 0xff}) {
        damaged.records[key] = value;
        damaged.records[key][at] ^= static_cast<char>(flip);
        (loads(damaged) ? loaded : refused) += 1;
      }
    }
  }
  // Some bytes may have any value: credentials, fingerprints, a reserve, the letters of an item.
  EXPECT_GT(loaded, 100);
  EXPECT_GT(refused, 1000);
}

TEST(Loader, NeverCrashesOnRandomDamage) {
  const std::string bytes = framed(filledShelf());
  int refused = 0;
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Shelf shelf;
    try {
      shelf.put(damage(bytes, seed));
    } catch (const std::runtime_error&) {
      // Everything before the damage is there.
    }
    refused += !loads(shelf);
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, 1000);
}

// Puts records together that are each well-formed but do not fit.
// Gives the first of a session's records another index.
void moveFirst(Session& session, std::uint64_t index) {
  auto [sequence, record] = *session.records.begin();
  record.outcome.index = index;
  session.records.put(sequence, record);
}

class Forgery: public testing::Test {
protected:
  Log log;
  Shelf shelf;
  Auction lamp;
  Session session;
  Totals totals;

  Forgery() {
    fill(log);
    shelf.put(log.state.capture());
    lamp = decodeAuction(shelf.records[auctionKey(log.auction("lamp").id)]);
    session = decodeSession(shelf.records[sessionKey(log.session)]);
    totals = decodeTotals(shelf.records["m"]);
  }
  ~Forgery() noexcept override = default;

  // Whether a state is loaded with this record in place of the one of its key.
  bool loadsWith(const Auction& auction) { return loadsWith(auctionKey(auction.id), auction); }
  bool loadsWith(const Session& session) { return loadsWith(sessionKey(session.id), session); }
  bool loadsWith(const Totals& totals) { return loadsWith("m", totals); }
  template <class Value>
  bool loadsWith(std::string_view key, const Value& value) {
    Shelf forged = shelf;
    std::string& bytes = forged.records.find(key)->second;
    bytes.clear();
    encode(value, bytes);
    return loads(forged);
  }

  template <class Value>
  bool refuses(const Value& original, void (*edit)(Value&)) {
    Value forged = original;
    edit(forged);
    return !loadsWith(forged);
  }
};

TEST_F(Forgery, LoadsTheOriginals) {
  EXPECT_TRUE(loadsWith(lamp));
  EXPECT_TRUE(loadsWith(session));
  EXPECT_TRUE(loadsWith(totals));
}

TEST_F(Forgery, OfABidderThatDoesNotExistIsRefused) {
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.owner = 99; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.owner = 0; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.highestBidder = 99; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.highestBidder = 0; }));
}

TEST_F(Forgery, OfNamesUsedTwiceIsRefused) {
  Bidder twin = *log.state.findBidder("bob");
  twin.name = "ann";
  EXPECT_FALSE(loadsWith(bidderKey(twin.id), twin));

  // The ended auction becomes a second live one, once with another name and once with the same.
  Auction second = lamp;
  second.id = log.auction("vase").id;
  second.name = "second";
  for (Version& version: second.history) version.index += second.id - lamp.id;
  totals.live += 1;
  encode(totals, shelf.records["m"] = "");
  encode(second, shelf.records[auctionKey(second.id)]);
  EXPECT_TRUE(loads(shelf));
  second.name = "lamp";
  EXPECT_FALSE(loadsWith(second));
}

TEST_F(Forgery, OfBidsThatNoLogMakesIsRefused) {
  EXPECT_EQ(lamp.version(), 3u);
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history.clear(); }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history.resize(1); }))
      << "a bid in no version";
  // They are multiples of four, so that none is in the auction's own record.
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) {
    a.history.clear();
    a.released = 60;
  })) << "too few amounts";
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) {
    a.history.clear();
    a.highest = 1'000'000;
    a.released = 100;
  })) << "too few entries";
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) {
    a.history.clear();
    a.released = UINT64_MAX - 3;
  }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.highest = 0; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.highest = -1; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.highest = a.startingPrice; }))
      << "two bids of the starting price";
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.phase = Auction::Phase::closed; }))
      << "over, but among the open ones";
}

TEST_F(Forgery, OfVersionsThatNoLogMakesIsRefused) {
  ASSERT_EQ(lamp.history.size(), 3u);
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history[0].index = a.id - 1; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history[2].index = 1000; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history[0].stamp = a.created - 1; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history[2].stamp = 2001; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history[1].bidder = 0; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history[1].bidder = 99; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history[0].amount = -1; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { std::swap(a.history[0], a.history[1]); }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history[1].index = a.history[2].index; }));
  EXPECT_TRUE(
      refuses<Auction>(lamp, [](Auction& a) { a.history[1].stamp = a.history[2].stamp + 1; }));
  EXPECT_TRUE(
      refuses<Auction>(lamp, [](Auction& a) { a.history[1].amount = a.history[2].amount; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history[2].amount += 1; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history[2].bidder = a.owner; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.history[2].deadline += 1; }));
  EXPECT_TRUE(
      refuses<Auction>(lamp, [](Auction& a) { a.history[2].kind = Version::Kind::closed; }));
}

TEST_F(Forgery, OfTimesThatNoLogMakesIsRefused) {
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.created = -1; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.created = 2001; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.deadline = a.created; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.deadline = a.hardEnd + 1; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.duration = 0; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.duration = MAX_DURATION + 1; }));
}

TEST_F(Forgery, OfTermsThatNoCreateAdmitsIsRefused) {
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.name = ""; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.item = "\xff"; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.startingPrice = -1; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.reserve = -1; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.increment.value = 0; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.softCloseExtension = 0; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.softCloseWindow = 0; }));
  EXPECT_TRUE(refuses<Auction>(lamp, [](Auction& a) { a.hardEnd = a.deadline - 1; }));
}

TEST_F(Forgery, OfSessionsThatNoLogMakesIsRefused) {
  EXPECT_TRUE(refuses<Session>(session, [](Session& s) { s.lastUsedIndex = 1000; }));
  EXPECT_TRUE(refuses<Session>(session, [](Session& s) { s.lastUsedIndex = s.id - 1; }));
  EXPECT_TRUE(refuses<Session>(session, [](Session& s) { s.lastUsed = -1; }));
  EXPECT_TRUE(refuses<Session>(session, [](Session& s) { s.lastUsed = 2001; }));
  EXPECT_TRUE(refuses<Session>(session, [](Session& s) { s.lastUsed = 1000; }))
      << "older than an idler one";
  EXPECT_TRUE(refuses<Session>(session, [](Session& s) { s.lowestIncomplete = 0; }));
  EXPECT_TRUE(refuses<Session>(
      session, [](Session& s) { s.lowestIncomplete = s.records.begin()->first + 1; }));
  EXPECT_TRUE(refuses<Session>(session, [](Session& s) { moveFirst(s, s.id); }));
  EXPECT_TRUE(refuses<Session>(session, [](Session& s) { moveFirst(s, 1000); }));
}

TEST_F(Forgery, OfTotalsThatDoNotAddUpIsRefused) {
  EXPECT_TRUE(refuses<Totals>(totals, [](Totals& t) { t.format += 1; }));
  EXPECT_TRUE(refuses<Totals>(totals, [](Totals& t) { t.lastIndex = 1; }));
  EXPECT_TRUE(refuses<Totals>(totals, [](Totals& t) { t.lastStamp = -1; }));
  EXPECT_TRUE(refuses<Totals>(totals, [](Totals& t) { t.auctions = 0; }));
  EXPECT_TRUE(refuses<Totals>(totals, [](Totals& t) { t.auctions = 1000; }));
  EXPECT_TRUE(refuses<Totals>(totals, [](Totals& t) { t.auctions = t.live; }))
      << "digests of auctions that were never made";
  EXPECT_TRUE(refuses<Totals>(totals, [](Totals& t) { t.live += 1; }));
  EXPECT_TRUE(refuses<Totals>(totals, [](Totals& t) { t.bidders += 1; }));
  EXPECT_TRUE(refuses<Totals>(totals, [](Totals& t) { t.sessions -= 1; }));
}

}  // namespace
}  // namespace gavel::auction::test
