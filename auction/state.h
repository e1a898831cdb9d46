#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auction/auction.h"
#include "auction/changes.h"
#include "auction/command.h"
#include "auction/digest.h"
#include "auction/ended-auctions.h"
#include "auction/outcome.h"
#include "auction/registry.h"
#include "auction/sessions.h"

// The auction rules as a deterministic state machine (design.md §3).
//
// The only input is log entries in order, the only outputs are outcomes and versions: equal logs
// give equal states, equal records byte for byte, and equal hashes on every node.  No clock, I/O,
// promises or randomness; used from one thread.
//
// It lives together with a store that is given its changes as records (capture()).  What the store
// has and the rules need no more is forgotten (release()): the versions of histories, and auctions
// that are over, which are looked up in the store when somebody names one.  Whether and when that
// happens changes neither outcomes nor hash().
namespace gavel::auction {

struct Totals;  // records.h

// Whether and how a command may run, judged without changing anything.
struct Judgement {
  Outcome outcome;
  // The command has to go into the log (R8).  False only for rejects that no later state can turn
  // into a success, and for retries: those are answered from the state, once it is committed up to
  // `basis`.
  bool log = true;
  // The index up to which the log must be committed before `outcome` may be told to anybody; 0
  // where it follows from the command alone.  Only meaningful where `log` is false.
  std::uint64_t basis = 0;
};

// A change that apply() made, for watchers and operators.
struct Event {
  const Auction* auction = nullptr;  // Stays there until the next release() at least.
  std::uint64_t version = 0;
};

class State {
public:
  // No auctions are over but those in memory.
  State();
  // Auctions that were released are in `ended`, which must outlive this object and what it is moved
  // to.  Null: as above.
  explicit State(const EndedAuctions* ended);
  ~State();
  State(State&&) noexcept;
  State& operator=(State&&) noexcept;

  // Judges `entry` as apply() would if it came next, with entry.index == lastIndex() + 1 and a
  // stamp not below lastStamp().  A stamp at or past an auction's deadline is not by itself a
  // reason to answer without a log entry, since a later head might stamp lower: callers close the
  // auction first (see due()), so that the reject rests on an entry that closed it.
  Judgement judge(const Entry& entry) const;

  // Applies the next entry and returns its outcome (for OpenSession: success, the session id being
  // the index).  Appends what changed to `events` if given.  Throws std::logic_error, without
  // having changed anything, if the entry is not the next one or its stamp goes backwards: a broken
  // log.
  //
  // The outcome is judge()'s, except that a reject which need not have been logged gets this index.
  // Such entries change nothing that anybody sees, but their outcome is recorded like any other.
  // Retries, and requests that their session does not admit, change nothing at all (R7).
  Outcome apply(const Entry& entry, std::vector<Event>* events = nullptr);

  // Ask the processor for what judging and applying `command` will look at, in two steps: the
  // second is to follow when the first was taken for up to PREFETCHED commands.  Where there are
  // many auctions or bidders, most are in no cache, and fetched one after the other they take
  // longer than what is done with them (bids on 1,000,000 auctions in turn: 1.15 times as many).
  void prefetchPlaces(const Command& command) const;
  void prefetch(const Command& command) const;
  static constexpr std::size_t PREFETCHED = 64;

  std::uint64_t lastIndex() const { return lastIndex_; }
  Stamp lastStamp() const { return lastStamp_; }

  // The earliest deadline of an open auction.
  std::optional<Stamp> nextDeadline() const;
  // Whether an open auction's deadline is at or before `stamp`: time for a CloseExpired entry.
  bool expired(Stamp stamp) const;
  // The auction that `command` asks something of, if it is open and its deadline is at or before
  // `stamp`: time for a CloseDue entry before the command is judged.  Else empty.
  std::string_view due(const Command& command, Stamp stamp) const;
  // When the idlest session was last used.
  std::optional<Stamp> idlestSession() const;

  // Only what is in memory: null also for an auction that is over and released.
  const Auction* findAuction(std::string_view name) const;
  const Auction* findAuction(AuctionId id) const;
  // Up to `limit` auctions with an id above `after`, in order of creation; likewise.
  std::vector<const Auction*> listAuctions(AuctionId after, std::size_t limit) const;
  const Bidder* findBidder(std::string_view name) const;
  const Bidder& bidder(BidderId id) const;  // Throws std::out_of_range.
  const Session* findSession(std::uint64_t id) const;

  std::size_t auctionCount() const;  // Ever made.
  std::size_t bidderCount() const;
  std::size_t sessionCount() const;

  // A capture is what has changed since the one before, or since the state was loaded: records that
  // complete those captured before (records.h).  It takes time in proportion to the changes, so it
  // is made in steps (R16), and is of the state as it was at beginCapture() whatever is applied
  // meanwhile: what is about to change and is not captured yet is captured before that.
  void beginCapture();
  bool capturing() const { return capture_ != nullptr; }
  // Captures up to `most` more records, fewer if they are long.  True when that were all.
  bool continueCapture(std::size_t most);
  // What was captured, all of it.
  Changes endCapture();
  // All steps at once.
  Changes capture();
  // About how many records the next capture would have.
  std::size_t uncaptured() const {
    return changedAuctions.size() + (bidders.size() - capturedBidders) + sessions.changes();
  }

  // The store has these changes: from now on what it has is looked up there.  They must be of this
  // state, but need not be the last ones captured.
  void release(const Changes& changes) { release(changes, 0, changes.toRelease.size()); }
  // Only those from number `first` on, `most` of them at most.  Returns how many that were.
  std::size_t release(const Changes& changes, std::size_t first, std::size_t most);

  // SHA-256 of the totals, then of all auctions that are open, bidders and sessions, each by id and
  // encoded as records.h says.  The same on every node with the same log.
  std::array<std::uint8_t, 32> hash() const;

private:
  friend class Loader;  // Makes a state from records.
  struct Decision;

  const EndedAuctions* ended = nullptr;
  std::uint64_t lastIndex_ = 0;
  Stamp lastStamp_ = 0;
  std::uint64_t auctionsMade = 0;
  DigestSum endedDigest;
  Auctions auctions;
  Bidders bidders;
  Sessions sessions;

  // What the captures so far hold, with the one that is under way.
  std::uint64_t capturedIndex = 0;
  std::uint64_t capturedBidders = 0;
  // Each capture ends a round: what changes from then on is for the next one.
  static constexpr std::uint32_t NO_ROUND = UINT32_MAX;
  std::uint32_t round = 1;
  std::uint32_t capturedRound = NO_ROUND;  // Of the capture under way.
  std::vector<Auction*> changedAuctions;   // In this round.
  struct Capture;
  std::unique_ptr<Capture> capture_;

  // In judge.cc: what is to come of an entry.
  Decision decide(const Entry& entry) const;
  template <class Request>
  Decision decideRequest(const Entry& entry, const Request& request) const;
  void decideEffect(Decision& decision, const Entry& entry, const Bid& bid) const;
  void decideEffect(Decision& decision, const Entry& entry, const CreateAuction& create) const;
  void decideEffect(Decision& decision, const Entry& entry, const CloseAuction& close) const;
  void decideEffect(Decision& decision, const Entry& entry, const CancelAuction& cancel) const;
  void decideEarlyEnd(Decision& decision, const Entry& entry, std::string_view auction,
                      const Identity& owner) const;
  std::optional<Auction> findReleased(std::string_view name) const;
  bool identify(Decision& decision, const Identity& asker) const;

  // In state.cc: the effects of entries decided to run.
  using Events = std::vector<Event>;
  void run(const OpenSession&, const Entry& entry, const Decision&, Events*);
  void run(const ExpireSessions& expire, const Entry&, const Decision&, Events*);
  void run(const Bid& bid, const Entry& entry, const Decision& decision, Events* events);
  void run(const CreateAuction& create, const Entry& entry, const Decision& decision,
           Events* events);
  void run(const CloseAuction&, const Entry& entry, const Decision& decision, Events* events);
  void run(const CancelAuction&, const Entry& entry, const Decision& decision, Events* events);
  void run(const CloseExpired& expired, const Entry& entry, const Decision&, Events* events);
  void run(const CloseDue& due, const Entry& entry, const Decision&, Events* events);
  void run(const Tick&, const Entry&, const Decision&, Events*) {}
  void close(const Auction& auction, const Entry& entry, Events* events);
  void end(Auction& auction, Auction::Phase phase, const Entry& entry, BidderId bidder,
           Amount amount, Events* events);
  void addVersion(Auction& auction, Version::Kind kind, const Entry& entry, BidderId bidder,
                  Amount amount, Events* events);

  // In capture.cc.
  Totals totals() const;
  void captureNow(Auction& auction);
  void captureNow(Session& session);

  // For whatever is about to change, or to be gone.
  Auction& change(const Auction& element) {
    Auction& auction = auctions.edit(element);
    if (auction.changedIn == capturedRound) captureNow(auction);
    return auction;
  }
  void captureBeforeChange(const Session& session) {
    if (session.changedIn == capturedRound) captureNow(sessions.edit(session));
  }
};

// Identifies what a request asks for, so that another use of its id can be told from a retry (R7).
std::uint64_t fingerprint(const Command& command);

}  // namespace gavel::auction
