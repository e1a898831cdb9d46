#include "auction/integrity.h"

#include "auction/rules.h"
#include "auction/text.h"

namespace gavel::auction {
namespace {

constexpr std::string_view SOUND = {};

bool within(Nanoseconds duration) {
  return duration > 0 && duration <= MAX_DURATION;
}

std::string_view findDamageInTerms(const Auction& auction) {
  if (!validName(auction.name)) return "auction's name";
  if (!validItem(auction.item)) return "auction's item";
  if (auction.startingPrice < 0) return "auction's starting price";
  if (auction.reserve < 0) return "auction's reserve";
  if (!validIncrement(auction.increment)) return "auction's increment";
  const bool hard = auction.softCloseWindow == 0;
  const bool sound = hard ? auction.softCloseExtension == 0 && auction.hardEnd == 0
                          : within(auction.softCloseWindow) && within(auction.softCloseExtension) &&
                                auction.hardEnd >= auction.deadline;
  return sound ? SOUND : "auction's soft close";
}

// Follows the history of an auction, version by version.
class HistoryCheck {
public:
  HistoryCheck(const Auction& auction, const Surroundings& surroundings)
      : auction(auction), surroundings(surroundings) {}

  std::string_view findDamage() {
    if (auction.history.empty()) return "auction without history";
    for (const Version& version: auction.history) {
      if (!follows(version)) return "order of an auction's history";
      if (!suits(version)) return "version in an auction's history";
      last = &version;
    }
    const bool agrees = auction.phase == phase && auction.highest == highest &&
                        auction.highestBidder == highestBidder &&
                        auction.deadline == last->deadline;
    return agrees ? SOUND : "auction and its history disagree";
  }

private:
  const Auction& auction;
  const Surroundings& surroundings;

  const Version* last = nullptr;
  Auction::Phase phase = Auction::Phase::open;
  Amount highest = 0;
  BidderId highestBidder = 0;

  bool follows(const Version& version) const {
    if (version.index > surroundings.lastIndex || version.stamp > surroundings.lastStamp) {
      return false;
    }
    if (last == nullptr) {
      return version.kind == Version::Kind::created && version.index == auction.id &&
             version.stamp == auction.created && version.stamp >= 0 &&
             version.deadline > version.stamp;
    }
    return version.kind != Version::Kind::created && phase == Auction::Phase::open &&
           version.index > last->index && version.stamp >= last->stamp &&
           version.deadline >= last->deadline;
  }

  bool suits(const Version& version) {
    switch (version.kind) {
      case Version::Kind::created:
        return version.bidder == auction.owner && version.amount == 0;
      case Version::Kind::cancelled:
        phase = Auction::Phase::cancelled;
        return version.bidder == auction.owner && version.amount == 0;
      case Version::Kind::bid: {
        const bool higher = version.amount > highest;
        highest = version.amount;
        highestBidder = version.bidder;
        return higher && version.bidder >= 1 && version.bidder <= surroundings.bidders;
      }
      case Version::Kind::closed: {
        phase = Auction::Phase::closed;
        const bool sold = highest > 0 && highest >= auction.reserve;
        return version.bidder == (sold ? highestBidder : 0) &&
               version.amount == (sold ? highest : 0);
      }
    }
    return false;
  }
};

}  // namespace

std::string_view findDamage(const Auction& auction, const Surroundings& surroundings) {
  if (auction.id == 0 || auction.id > surroundings.lastIndex) return "auction's id";
  if (auction.owner == 0 || auction.owner > surroundings.bidders) return "auction's owner";
  const auto damage = findDamageInTerms(auction);
  return damage.empty() ? HistoryCheck(auction, surroundings).findDamage() : damage;
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
