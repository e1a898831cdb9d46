#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "auction/records.h"
#include "auction/state.h"

// Between the memory and the store: what has changed, and what may be forgotten.
namespace gavel::auction {
namespace {

// Many, as a record costs the store far more than the bytes in it; few enough for a page of history
// not to read much more than it shows.
constexpr std::size_t VERSIONS_PER_RECORD = 512;

// The records that tell an auction's new versions.
void captureAuction(const Auction& auction, RecordWriter& writer) {
  const bool isNew = auction.captured == 0;
  if (isNew) writer.put(nameKey(auction.name), encodeName(auction.id));
  // It was open then.
  std::uint64_t last = Auction::versionsApart(Auction::Phase::open, auction.captured);
  std::span<const Version> added(auction.history);
  added = added.subspan(last - auction.released, auction.versionsApart() - last);
  while (!added.empty()) {
    const auto part = added.first(std::min(added.size(), VERSIONS_PER_RECORD));
    last += part.size();
    writer.encode(versionsKey(auction.id, last), part);
    added = added.subspan(part.size());
  }
  if (auction.phase == Auction::Phase::open) {
    writer.encode(auctionKey(auction.id), auction);
  } else {
    if (!isNew) writer.remove(auctionKey(auction.id));
    writer.encode(endedKey(auction.id), auction);
  }
}

}  // namespace

Totals State::totals() const {
  Totals totals;
  totals.lastIndex = lastIndex_;
  totals.lastStamp = lastStamp_;
  totals.auctions = auctionsMade;
  totals.live = auctions.openCount();
  totals.bidders = bidders.size();
  totals.sessions = sessions.size();
  totals.ended = endedDigest;
  return totals;
}

Changes State::capture() {
  Changes changes;
  changes.lastIndex = lastIndex_;
  if (capturedIndex == lastIndex_) return changes;
  RecordWriter writer(changes.records);

  for (Auction* auction: changedAuctions) {
    captureAuction(*auction, writer);
    auction->captured = auction->version();
    const bool over = auction->phase != Auction::Phase::open;
    if (over || auction->versionsApart() > auction->released) {
      changes.toRelease.push_back({auction->id, auction->versionsApart(), over});
    }
  }
  changedAuctions.clear();

  while (capturedBidders < bidders.size()) {
    const Bidder& bidder = bidders.at(++capturedBidders);
    writer.encode(bidderKey(bidder.id), bidder);
  }

  const Sessions::Changes used = sessions.takeChanges();
  for (const Session* session: used.changed) writer.encode(sessionKey(session->id), *session);
  for (const std::uint64_t id: used.ended) writer.remove(sessionKey(id));

  writer.encode(TOTALS_KEY, totals());
  capturedIndex = lastIndex_;
  return changes;
}

void State::release(const Changes& changes) {
  for (const Changes::Stored& stored: changes.toRelease) {
    const Auction* found = auctions.find(stored.id);
    if (found == nullptr) continue;  // Released before.
    if (stored.over) {
      auctions.remove(*found);
      continue;
    }
    Auction& auction = auctions.edit(*found);
    if (stored.versions <= auction.released) continue;
    const auto first = auction.history.begin();
    auction.history.erase(first,
                          first + static_cast<std::ptrdiff_t>(stored.versions - auction.released));
    auction.released = stored.versions;
    // Not to hold memory for the most versions that this auction ever had between two releases.
    if (auction.history.capacity() > 4 * (auction.history.size() + VERSIONS_TOGETHER)) {
      auction.history.shrink_to_fit();
    }
  }
}

}  // namespace gavel::auction
