#include <stdexcept>
#include <utility>

#include "auction/integrity.h"
#include "auction/records.h"

namespace gavel::auction {
namespace {

[[noreturn]] void fail(std::string_view key, std::string_view what) {
  throw std::runtime_error("the record with " + describeKey(key) + " is bad: " + std::string(what));
}

[[noreturn]] void fail(std::string_view what) {
  throw std::runtime_error("bad records: " + std::string(what));
}

void require(std::string_view key, std::string_view damage) {
  if (!damage.empty()) fail(key, damage);
}

// Fails unless there are as many of a kind as the totals say.
void requireCount(std::string_view what, std::uint64_t found, std::uint64_t expected) {
  if (found == expected) return;
  fail(std::to_string(found) + " " + std::string(what) + ", but the totals say " +
       std::to_string(expected));
}

// Decodes a value.  What it says of a bad one names the key.
template <class Value>
Value decodeAs(std::string_view key, std::string_view value, Value (*decode)(std::string_view)) {
  try {
    return decode(value);
  } catch (const std::runtime_error& error) {
    fail(key, error.what());
  }
}

// Inserts a decoded record by its id.  The key must have the same id.
template <class Map, class Value>
void insert(Map& map, std::string_view key, Value&& value) {
  if (value.id != idOf(key)) fail(key, "it has the id " + std::to_string(value.id));
  const auto id = value.id;
  if (!map.emplace(id, std::move(value)).second) fail(key, "it is there twice");
}

}  // namespace

void Loader::add(std::string_view key, std::string_view value) {
  any = true;
  switch (kindOf(key)) {
    case RecordKind::auction:
      return insert(auctions, key, decodeAs(key, value, decodeAuction));
    case RecordKind::bidder:
      return insert(bidders, key, decodeAs(key, value, decodeBidder));
    case RecordKind::session:
      return insert(sessions, key, decodeAs(key, value, decodeSession));
    case RecordKind::totals:
      if (totals) fail(key, "it is there twice");
      totals = decodeAs(key, value, decodeTotals);
      return;
    case RecordKind::endedAuction:
    case RecordKind::versions:
    case RecordKind::name:
      return;
  }
}

State Loader::finish(const EndedAuctions& ended) {
  State state(&ended);
  if (!any) return state;
  if (!totals) fail("no totals among them");
  const Totals& t = *totals;
  if (t.format != RECORD_FORMAT) {
    fail("format " + std::to_string(t.format) + ", but this version knows only " +
         std::to_string(RECORD_FORMAT));
  }
  if (t.lastStamp < 0) fail("a negative stamp in the totals");
  requireCount("open auctions", auctions.size(), t.live);
  requireCount("bidders", bidders.size(), t.bidders);
  requireCount("sessions", sessions.size(), t.sessions);
  if (t.auctions < t.live) fail("more open auctions than were ever made");
  if (t.auctions > t.lastIndex) fail("more auctions than entries");
  if (t.auctions == t.live && t.ended != DigestSum()) fail("digests of no auctions");
  if (t.sessions > MAX_SESSIONS) fail("too many sessions");

  state.lastIndex_ = state.capturedIndex = t.lastIndex;
  state.lastStamp_ = t.lastStamp;
  state.auctionsMade = t.auctions;
  state.endedDigest = t.ended;
  state.capturedBidders = t.bidders;
  for (auto& [id, bidder]: bidders) {
    const std::string key = bidderKey(id);
    require(key, findDamage(bidder));
    if (id != state.bidders.nextId()) fail(key, "a bidder before it is missing");
    if (state.bidders.find(bidder.name) != nullptr) fail(key, "bidder's name used twice");
    state.bidders.add(bidder.name, bidder.credential);
  }
  const Surroundings surroundings{t.lastIndex, t.lastStamp, t.bidders};
  for (auto& [id, auction]: auctions) {
    const std::string key = auctionKey(id);
    require(key, findDamage(auction, surroundings));
    if (auction.phase != Auction::Phase::open) fail(key, "it is over");
    if (state.auctions.find(auction.name) != nullptr) fail(key, "auction's name used twice");
    state.auctions.add(std::move(auction));
  }
  for (auto& [id, session]: sessions) {
    require(sessionKey(id), findDamage(session, surroundings));
    state.sessions.add(std::move(session));
  }
  if (!state.sessions.sortByUse()) fail("order of the sessions' last use");
  return state;
}

}  // namespace gavel::auction
