#include "auction/integrity.h"

#include <algorithm>

#include "auction/rules.h"
#include "auction/text.h"

namespace gavel::auction {
namespace {

constexpr std::string_view SOUND = {};

bool within(Nanoseconds duration) {
  return duration > 0 && duration <= MAX_DURATION;
}

std::string_view findDamageInTerms(const Auction& auction, const Surroundings&) {
  if (!validName(auction.name)) return "auction's name";
  if (!validItem(auction.item)) return "auction's item";
  if (!within(auction.duration)) return "auction's duration";
  if (auction.startingPrice < 0) return "auction's starting price";
  if (auction.reserve < 0) return "auction's reserve";
  if (!validIncrement(auction.increment)) return "auction's increment";
  const Stamp first = after(auction.created, auction.duration);
  if (auction.softCloseWindow == 0) {
    if (auction.softCloseExtension != 0 || auction.hardEnd != 0) return "auction's soft close";
    return auction.deadline == first ? SOUND : "auction's deadline";
  }
  if (!within(auction.softCloseWindow) || !within(auction.softCloseExtension) ||
      auction.hardEnd < first) {
    return "auction's soft close";
  }
  return auction.deadline >= first && auction.deadline <= auction.hardEnd ? SOUND
                                                                          : "auction's deadline";
}

// The number of bids follows from the version: all versions are bids but the first and, if the
// auction is over, the last.
std::string_view findDamageInBids(const Auction& auction, const Surroundings& surroundings) {
  const bool open = auction.phase == Auction::Phase::open;
  const std::uint64_t others = open ? 1 : 2;
  // An entry makes at most one version of it, and its id is the index of the first.
  if (auction.version() < others || auction.version() - 1 > surroundings.lastIndex - auction.id) {
    return "auction's version";
  }
  const std::uint64_t bids = auction.version() - others;
  if (bids == 0) {
    return auction.highest == 0 && auction.highestBidder == 0 ? SOUND : "bid in no version";
  }
  const Amount lowest = std::max<Amount>(auction.startingPrice, 1);
  // Each bid is higher than the one before it by at least one.
  if (auction.highest < lowest || static_cast<std::uint64_t>(auction.highest - lowest) < bids - 1) {
    return "auction's highest bid";
  }
  const bool known = auction.highestBidder >= 1 && auction.highestBidder <= surroundings.bidders;
  return known ? SOUND : "auction's highest bidder";
}

// Looks at the versions in the auction's own record, which only an open one has.
std::string_view findDamageInVersions(const Auction& auction, const Surroundings& surroundings) {
  std::uint64_t number = auction.released;
  const Version* previous = nullptr;
  for (const Version& version: auction.history) {
    const auto kind = ++number == 1 ? Version::Kind::created : Version::Kind::bid;
    if (version.kind != kind || version.index < auction.id ||
        version.index > surroundings.lastIndex || version.stamp < auction.created ||
        version.stamp > surroundings.lastStamp || version.bidder == 0 ||
        version.bidder > surroundings.bidders || version.amount < 0) {
      return "auction's versions";
    }
    if (previous != nullptr &&
        (version.index <= previous->index || version.stamp < previous->stamp ||
         version.amount <= previous->amount)) {
      return "order of the auction's versions";
    }
    previous = &version;
  }
  if (previous == nullptr) return SOUND;
  const bool bid = previous->kind == Version::Kind::bid;
  const bool fits = previous->amount == auction.highest &&
                    previous->bidder == (bid ? auction.highestBidder : auction.owner) &&
                    previous->deadline == auction.deadline;
  return fits ? SOUND : "auction's last version";
}

}  // namespace

std::string_view findDamage(const Auction& auction, const Surroundings& surroundings) {
  if (auction.id == 0 || auction.id > surroundings.lastIndex) return "auction's id";
  if (auction.owner == 0 || auction.owner > surroundings.bidders) return "auction's owner";
  if (auction.created < 0 || auction.created > surroundings.lastStamp) return "auction's creation";
  for (const auto find: {findDamageInTerms, findDamageInBids, findDamageInVersions}) {
    const auto damage = find(auction, surroundings);
    if (!damage.empty()) return damage;
  }
  return SOUND;
}

std::string_view findDamage(const Bidder& bidder) {
  return validName(bidder.name) ? SOUND : "bidder's name";
}

std::string_view findDamage(const Session& session, const Surroundings& surroundings) {
  if (session.id == 0 || session.id > session.lastUsedIndex) return "session's id";
  if (session.lastUsedIndex > surroundings.lastIndex) return "session's last use";
  if (session.lastUsed < 0 || session.lastUsed > surroundings.lastStamp)
    return "session's last use";
  if (session.lowestIncomplete == 0) return "session's lowest incomplete sequence";
  if (session.records.size() > MAX_RECORDS_PER_SESSION) return "too many records in a session";
  if (!session.records.empty() && session.records.begin()->first < session.lowestIncomplete) {
    return "record that its session has freed";
  }
  for (const auto& [sequence, record]: session.records) {
    const std::uint64_t index = record.outcome.index;
    if (index <= session.id || index > session.lastUsedIndex) return "index of a session's record";
  }
  return SOUND;
}

}  // namespace gavel::auction
