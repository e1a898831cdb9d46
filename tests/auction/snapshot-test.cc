#include "auction/snapshot.h"

#include <array>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include "tests/auction/log.h"

// The state as bytes, and what becomes of bytes that are no state.
namespace gavel::auction::test {
namespace {

// A state with something of everything.
void fill(Log& log) {
  Terms soft = plainTerms();
  soft.startingPrice = 5;
  soft.reserve = 1000;
  soft.increment = {Increment::Kind::percent, 500};
  soft.softClose = {100, 200, 3000};
  log.apply(create("lamp", soft));
  log.apply(create("vase"));
  log.apply(create("chair"));
  log.apply(bid("vase", "ann", 100));
  log.apply(bid("lamp", "bob", 50));
  log.apply(bid("nothing", "cid", 50));
  log.applyAt(1500, CancelAuction{"chair", identity("owner")});
  log.openSession();
  log.applyAt(1950, bid("lamp", "ann", 60));
  log.apply(bid("lamp", "ann", 61));
  log.apply(log.request(bid("vase", "bob", 200), {log.session, 30, 4}));
  log.sequence = 30;
  log.closeExpired(2000);
}

std::string filledSnapshot() {
  Log log;
  fill(log);
  return log.state.snapshot();
}

// Restores bytes that may be anything: true if they are a state, which then has to work.
bool restores(const std::string& bytes) {
  Log log;
  try {
    log.state = State::restore(bytes);
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("offset"), std::string::npos) << error.what();
    return false;
  }
  EXPECT_EQ(log.state.snapshot(), bytes) << "each state has one encoding";
  if (log.state.lastIndex() > UINT64_MAX - 10 || log.state.lastStamp() > INT64_MAX - 10)
    return true;
  log.now = log.state.lastStamp() + 1;
  log.session = log.openSession();
  log.sequence = 0;
  log.apply(bid("lamp", "dan", 5000));
  log.apply(create("table"));
  log.apply(bid("table", "dan", 5000));
  log.apply(log.proposal(ExpireSessions{log.now}));
  log.closeExpired(INT64_MAX);
  EXPECT_EQ(log.state.nextDeadline(), std::nullopt);
  return true;
}

TEST(Snapshot, RestoresTheWholeState) {
  Log log;
  fill(log);
  const std::string bytes = log.state.snapshot();
  State restored = State::restore(bytes);
  EXPECT_EQ(restored.snapshot(), bytes);
  EXPECT_EQ(restored.hash(), log.state.hash());
  EXPECT_EQ(restored.lastIndex(), log.state.lastIndex());
  EXPECT_EQ(restored.lastStamp(), 2000);
  EXPECT_EQ(restored.auctionCount(), 3u);
  EXPECT_EQ(restored.bidderCount(), 4u);
  EXPECT_EQ(restored.sessionCount(), 2u);
  EXPECT_EQ(restored.nextDeadline(), log.state.nextDeadline());
  EXPECT_EQ(restored.idlestSession(), log.state.idlestSession());
  EXPECT_EQ(restored.findAuction("lamp")->nextValid(), 63);
  EXPECT_EQ(restored.findBidder("cid")->credential, identity("cid").credential);

  // It goes on alike.
  const Entry next = log.request(bid("lamp", "dan", 63), {log.session, 31, 31});
  EXPECT_EQ(restored.apply(next), log.state.apply(next));
  EXPECT_EQ(restored.snapshot(), log.state.snapshot());
}

TEST(Snapshot, OfAnEmptyStateIsOnlyAHeader) {
  const State empty;
  const std::string bytes = empty.snapshot();
  EXPECT_EQ(bytes.size(), 8u + 4 + 8 + 8 + 3 * 8);
  EXPECT_EQ(bytes.substr(0, 8), "GAVELST\n");
  EXPECT_EQ(bytes.substr(8, 4), std::string("\1\0\0\0", 4));
  EXPECT_EQ(State::restore(bytes).snapshot(), bytes);
}

// Nodes of different builds exchange snapshots.  If this fails, the layout or the rules have
// changed: then SNAPSHOT_FORMAT, or the chain's format version (R14), has to change as well.
TEST(Snapshot, HasTheSameBytesForEver) {
  Log log;
  fill(log);
  std::string hex;
  for (const std::uint8_t byte: log.state.hash()) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  EXPECT_EQ(hex, "9cc4afb9e19d137ff0e8e5713fe94c1ca04e697aab3eaa1209609392289358cf");
}

TEST(Snapshot, SurvivesMovesOfTheState) {
  Log log;
  fill(log);
  const std::string bytes = log.state.snapshot();
  State moved = std::move(log.state);
  EXPECT_EQ(moved.snapshot(), bytes);
  State assigned;
  assigned = std::move(moved);
  EXPECT_EQ(assigned.snapshot(), bytes);
  EXPECT_NE(assigned.findAuction("lamp"), nullptr);
  EXPECT_NE(assigned.findBidder("ann"), nullptr);
  EXPECT_EQ(assigned.nextDeadline(), 2150);
}

TEST(Hash, IsTheSha256OfTheSnapshot) {
  Log log;
  fill(log);
  const std::string long_(MAX_ITEM_BYTES, 'x');  // Longer than the pieces that are hashed.
  Terms terms = plainTerms();
  terms.item = long_;
  log.apply(create("tome", terms));
  const std::string bytes = log.state.snapshot();
  std::array<std::uint8_t, 32> expected;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), expected.data());
  EXPECT_EQ(log.state.hash(), expected);
}

TEST(Record, IsReadAloneAsItWasWritten) {
  Log log;
  fill(log);
  const auto expectSame = [](const auto& record, auto decode) {
    std::string bytes = "before";
    encode(record, bytes);
    ASSERT_EQ(bytes.substr(0, 6), "before") << "appended";
    bytes.erase(0, 6);
    std::string again;
    encode(decode(bytes), again);
    EXPECT_EQ(again, bytes);
    EXPECT_THROW(decode(bytes + "x"), std::runtime_error);
    EXPECT_THROW(decode(bytes.substr(0, bytes.size() - 1)), std::runtime_error);
  };
  expectSame(log.auction("lamp"), decodeAuction);
  expectSame(*log.state.findBidder("ann"), decodeBidder);
  expectSame(*log.state.findSession(log.session), decodeSession);
}

TEST(Restore, RefusesEveryTruncation) {
  const std::string bytes = filledSnapshot();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_THROW(State::restore(std::string_view(bytes).substr(0, size)), std::runtime_error)
        << size;
  }
  EXPECT_THROW(State::restore(bytes + '\0'), std::runtime_error);
  EXPECT_NO_THROW(State::restore(bytes));
}

TEST(Restore, RefusesAnotherMagicOrFormat) {
  std::string bytes = filledSnapshot();
  bytes[0] ^= 1;
  EXPECT_THROW(State::restore(bytes), std::runtime_error);
  bytes[0] ^= 1;
  bytes[8] = 2;
  EXPECT_THROW(State::restore(bytes), std::runtime_error);
}

TEST(Restore, NeverCrashesOnASingleDamagedByte) {
  const std::string bytes = filledSnapshot();
  int restored = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const int flip: {0x01, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[at] ^= static_cast<char>(flip);
      restored += restores(damaged);
    }
  }
  // Some bytes may have any value: credentials, fingerprints, a reserve, the letters of an item.
  EXPECT_GT(restored, 100);
}

TEST(Restore, NeverCrashesOnRandomDamage) {
  const std::string bytes = filledSnapshot();
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::string damaged = bytes;
    for (auto count = random() % 8 + 1; count > 0; --count) {
      const std::size_t at = random() % damaged.size();
      switch (random() % 4) {
        case 0:
          damaged[at] = static_cast<char>(random());
          break;
        case 1:
          damaged.erase(at, random() % 20);
          break;
        case 2:
          damaged.insert(at, random() % 20, static_cast<char>(random()));
          break;
        case 3:  // Lengths and counts that lie.
          damaged.replace(at, 8, 8, static_cast<char>(random() % 2 ? 0xff : 0x7f));
          break;
      }
    }
    restores(damaged);
    if (HasFailure()) return;
  }
}

// Makes a snapshot from parts that are each well-formed but do not fit together.
class Forgery: public testing::Test {
protected:
  Log log;
  Auction lamp, vase, chair;
  Bidder owner, ann;
  Session session;

  Forgery() {
    fill(log);
    lamp = log.auction("lamp");
    vase = log.auction("vase");
    chair = log.auction("chair");
    owner = log.state.bidder(1);
    session = *log.state.findSession(log.session);
  }

  // Whether the state is restored with this auction in place of the one of its id.
  bool restoresWith(const Auction& auction) {
    return restoresWith(log.auction(auction.name), auction);
  }
  bool restoresWith(const Session& session) {
    return restoresWith(*log.state.findSession(session.id), session);
  }
  template <class Record>
  bool restoresWith(const Record& original, const Record& forged) {
    std::string from, to, bytes = log.state.snapshot();
    encode(original, from);
    encode(forged, to);
    const auto at = bytes.find(from);
    if (at == bytes.npos) throw std::logic_error("record not found in the snapshot");
    bytes.replace(at, from.size(), to);
    return restores(bytes);
  }
};

TEST_F(Forgery, RestoresTheOriginals) {
  EXPECT_TRUE(restoresWith(lamp));
  EXPECT_TRUE(restoresWith(vase));
  EXPECT_TRUE(restoresWith(chair));
  EXPECT_TRUE(restoresWith(session));
}

TEST_F(Forgery, OfABidderThatDoesNotExistIsRefused) {
  Auction forged = lamp;
  forged.owner = 99;
  forged.history[0].bidder = 99;
  EXPECT_FALSE(restoresWith(forged));
  forged = lamp;
  forged.highestBidder = 99;
  forged.history.back().bidder = 99;
  EXPECT_FALSE(restoresWith(forged));
}

TEST_F(Forgery, OfNamesUsedTwiceIsRefused) {
  Auction forged = lamp;
  forged.name = "vase";
  EXPECT_FALSE(restoresWith(lamp, forged));
  Bidder twin = owner;
  twin.name = "ann";
  EXPECT_FALSE(restoresWith(owner, twin));
}

TEST_F(Forgery, OfHistoryThatNoLogMakesIsRefused) {
  Auction forged = lamp;
  forged.history.clear();
  EXPECT_FALSE(restoresWith(forged));
  forged = lamp;
  forged.history.pop_back();
  EXPECT_FALSE(restoresWith(forged)) << "highest bid without a version";
  forged = lamp;
  std::swap(forged.history[1], forged.history[2]);
  EXPECT_FALSE(restoresWith(forged));
  forged = lamp;
  forged.history.back().amount = forged.highest = forged.history[1].amount;
  EXPECT_FALSE(restoresWith(forged)) << "amounts that do not rise";
  forged = lamp;
  forged.phase = Auction::Phase::closed;
  EXPECT_FALSE(restoresWith(forged));
  forged = vase;
  forged.phase = Auction::Phase::open;
  EXPECT_FALSE(restoresWith(forged));
  forged = vase;
  forged.history.back().amount += 1;
  EXPECT_FALSE(restoresWith(forged)) << "another price than the highest bid";
  forged = chair;
  forged.history.push_back(forged.history.back());
  EXPECT_FALSE(restoresWith(forged)) << "over twice";
  forged = lamp;
  forged.history.back().index = log.state.lastIndex() + 1;
  EXPECT_FALSE(restoresWith(forged));
  forged = lamp;
  forged.deadline += 1;
  EXPECT_FALSE(restoresWith(forged));
}

TEST_F(Forgery, OfTermsThatNoCreateAdmitsIsRefused) {
  const auto refused = [&](auto edit) {
    Auction forged = lamp;
    edit(forged);
    return !restoresWith(lamp, forged);
  };
  EXPECT_TRUE(refused([](Auction& a) { a.name = ""; }));
  EXPECT_TRUE(refused([](Auction& a) { a.item = "\xff"; }));
  EXPECT_TRUE(refused([](Auction& a) { a.startingPrice = -1; }));
  EXPECT_TRUE(refused([](Auction& a) { a.reserve = -1; }));
  EXPECT_TRUE(refused([](Auction& a) { a.increment.value = 0; }));
  EXPECT_TRUE(refused([](Auction& a) { a.softCloseExtension = 0; }));
  EXPECT_TRUE(refused([](Auction& a) { a.softCloseWindow = 0; }));
  EXPECT_TRUE(refused([](Auction& a) { a.hardEnd = a.deadline - 1; }));
}

TEST_F(Forgery, OfSessionsThatNoLogMakesIsRefused) {
  const auto refused = [&](auto edit) {
    Session forged = session;
    edit(forged);
    return !restoresWith(forged);
  };
  EXPECT_TRUE(refused([&](Session& s) { s.lastUsedIndex = log.state.lastIndex() + 1; }));
  EXPECT_TRUE(refused([](Session& s) { s.lastUsedIndex = s.id - 1; }));
  EXPECT_TRUE(refused([](Session& s) { s.lastUsed = -1; }));
  EXPECT_TRUE(refused([](Session& s) { s.lastUsed = 2001; }));
  EXPECT_TRUE(refused([](Session& s) { s.lastUsed = 1000; })) << "older than an idler one";
  EXPECT_TRUE(refused([](Session& s) { s.lowestIncomplete = 0; }));
  EXPECT_TRUE(refused([](Session& s) { s.lowestIncomplete = s.records.begin()->first + 1; }));
  EXPECT_TRUE(refused([](Session& s) { s.records.begin()->second.outcome.index = s.id; }));
  EXPECT_TRUE(refused(
      [&](Session& s) { s.records.begin()->second.outcome.index = log.state.lastIndex() + 1; }));
}

}  // namespace
}  // namespace gavel::auction::test
