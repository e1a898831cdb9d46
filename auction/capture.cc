#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <stdexcept>
#include <utility>

#include "auction/records.h"
#include "auction/state.h"

// Captures what has changed for the store, and releases what memory may forget.
namespace gavel::auction {
namespace {

// Many versions, since a record costs the store far more than the bytes in it.  Few enough for a
// page of history not to read much more than it shows.
constexpr std::size_t VERSIONS_PER_RECORD = 512;

// Most records are shorter than this.
constexpr std::size_t BYTES_PER_RECORD = 384;
// A step ends after this many bytes, since a session can have many records of requests.
constexpr std::size_t BYTES_PER_STEP = 64 * 1024;

// Writes the record of an auction, and those of its new versions.
void captureAuction(const Auction& auction, RecordWriter& writer) {
  const bool isNew = auction.captured == 0;
  if (isNew) writer.put(nameKey(auction.name), encodeName(auction.id));
  // The auction was open when it was captured before.
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

struct State::Capture {
  Changes changes;
  RecordWriter writer{changes.records};
  std::vector<Auction*> auctions;  // Those without the capture's round are captured already.
  Sessions::Changes sessions;      // The same holds for them.
  std::size_t auctionsDone = 0;
  std::size_t changedSessionsDone = 0;
  std::size_t endedSessionsDone = 0;
  std::uint64_t biddersDone = 0;
  std::uint64_t bidders = 0;
};

State::State() = default;
State::State(const EndedAuctions* ended): ended(ended) {}
State::~State() = default;
State::State(State&&) noexcept = default;
State& State::operator=(State&&) noexcept = default;

void State::beginCapture() {
  if (capturing()) throw std::logic_error("a capture that begins before the last one has ended");
  capture_ = std::make_unique<Capture>();
  Capture& capture = *capture_;
  capture.changes.lastIndex = lastIndex_;
  if (capturedIndex == lastIndex_) return;
  // To grow step by step would copy all of it now and then.
  capture.changes.records.reserve((uncaptured() + 1) * BYTES_PER_RECORD);
  capture.writer.encode(TOTALS_KEY, totals());
  capture.auctions.swap(changedAuctions);
  capture.biddersDone = capturedBidders;
  capture.bidders = bidders.size();
  capturedBidders = bidders.size();
  capturedRound = round;
  if (++round == NO_ROUND) round = 1;
  capture.sessions = sessions.takeChanges(round);
  capturedIndex = lastIndex_;
}

bool State::continueCapture(std::size_t most) {
  Capture& capture = *capture_;
  const std::size_t enough = capture.changes.records.size() + BYTES_PER_STEP;
  for (; most > 0 && capture.changes.records.size() < enough; --most) {
    if (capture.auctionsDone < capture.auctions.size()) {
      Auction& auction = *capture.auctions[capture.auctionsDone++];
      if (auction.changedIn == capturedRound) captureNow(auction);
    } else if (capture.biddersDone < capture.bidders) {
      const Bidder& bidder = bidders.at(++capture.biddersDone);
      capture.writer.encode(bidderKey(bidder.id), bidder);
    } else if (capture.changedSessionsDone < capture.sessions.changed.size()) {
      const Session* session =
          sessions.find(capture.sessions.changed[capture.changedSessionsDone++]);
      if (session != nullptr) captureBeforeChange(*session);
    } else if (capture.endedSessionsDone < capture.sessions.ended.size()) {
      capture.writer.remove(sessionKey(capture.sessions.ended[capture.endedSessionsDone++]));
    } else {
      return true;
    }
  }
  return false;
}

Changes State::endCapture() {
  Changes changes = std::move(capture_->changes);
  capture_ = nullptr;
  capturedRound = NO_ROUND;
  return changes;
}

Changes State::capture() {
  beginCapture();
  while (!continueCapture(std::numeric_limits<std::size_t>::max())) {
  }
  return endCapture();
}

void State::captureNow(Auction& auction) {
  captureAuction(auction, capture_->writer);
  auction.captured = auction.version();
  auction.changedIn = 0;
  const bool over = auction.phase != Auction::Phase::open;
  if (over || auction.versionsApart() > auction.released) {
    capture_->changes.toRelease.push_back({auction.id, auction.versionsApart(), over});
  }
}

void State::captureNow(Session& session) {
  capture_->writer.encode(sessionKey(session.id), session);
  session.changedIn = 0;
}

std::size_t State::release(const Changes& changes, std::size_t first, std::size_t most) {
  const auto count = std::min(most, changes.toRelease.size() - first);
  for (std::size_t i = first; i < first + count; ++i) {
    const Changes::Stored& stored = changes.toRelease[i];
    const Auction* found = auctions.find(stored.id);
    if (found == nullptr) continue;  // It is released already.
    if (stored.over) {
      auctions.remove(*found);
      continue;
    }
    Auction& auction = auctions.edit(*found);
    if (stored.versions <= auction.released) continue;
    const auto begin = auction.history.begin();
    auction.history.erase(begin,
                          begin + static_cast<std::ptrdiff_t>(stored.versions - auction.released));
    auction.released = stored.versions;
    // Gives back the memory of the most versions that were ever there between two releases.
    if (auction.history.capacity() > 4 * (auction.history.size() + VERSIONS_TOGETHER)) {
      auction.history.shrink_to_fit();
    }
  }
  return count;
}

}  // namespace gavel::auction
