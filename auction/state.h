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

// The auction rules as a deterministic state machine (see docs/design.md, 'The auction rules').
//
// The only input is log entries in order; the only outputs are outcomes and versions.  Equal logs
// give equal states, equal records byte for byte, and equal hashes on every node.  There is no
// clock, I/O, promise or randomness.  It is used from one thread.
//
// A store takes its changes as records (capture()).  Then the state forgets what the store has and
// the rules do not need (release()): versions of histories, and auctions that are over.  Such an
// auction is looked up in the store when somebody names it.  Whether and when the state forgets
// changes neither outcomes nor hash().
namespace gavel::auction {

struct Totals;  // records.h

// Whether and how a command may run, judged without changing anything.
struct Judgement {
  Outcome outcome;
  // True if the command has to go into the log (R8).  It is false only for rejects that no later
  // state can turn into a success, and for retries.  Those are answered from the state, once it is
  // committed up to `basis`.
  bool log = true;
  // The index up to and including which the log must be committed before anybody may see `outcome`;
  // 0 where it follows from the command alone.  It has a meaning only where `log` is false.
  std::uint64_t basis = 0;
};

// A change that apply() made, for watchers and operators.
struct Event {
  const Auction* auction = nullptr;  // Valid until the next release() at least.
  std::uint64_t version = 0;
};

class State {
public:
  // Makes a state whose ended auctions are all in memory.
  State();
  // Looks up released auctions in `ended`, which must outlive this object and what it is moved to.
  // Null: as above.
  explicit State(const EndedAuctions* ended);
  ~State();
  State(State&&) noexcept;
  State& operator=(State&&) noexcept;

  // Judges `entry` as apply() would if it came next, with entry.index == lastIndex() + 1 and a
  // stamp at or after lastStamp().  A stamp at or after an auction's deadline is not by itself a
  // reason to answer without a log entry, since a later head might stamp lower.  So callers close
  // the auction first (see due()): then the reject rests on the entry that closed it.
  Judgement judge(const Entry& entry) const;

  // Applies the next entry and returns its outcome.  That of OpenSession is success, and its index
  // is the session's id.  Appends what changed to `events` if given.  Throws std::logic_error,
  // without having changed anything, if the log is broken: the entry is not the next one, or its
  // stamp goes backwards.
  //
  // The outcome is judge()'s, except that a reject which need not have been logged gets this index.
  // Such entries change nothing that anybody sees, but their outcome is recorded like any other.
  // Retries, and requests that their session does not admit, change only the last index and stamp
  // (R7).
  Outcome apply(const Entry& entry, std::vector<Event>* events = nullptr);

  // Ask the processor for what judging and applying `command` will look at, in two steps.  Take the
  // second step after the first one was taken for up to PREFETCHED commands.  Of many auctions or
  // bidders most are in no cache, and to fetch them one by one takes longer than the work on them.
  // With these there are 1.15 times as many bids on 1,000,000 auctions in turn.
  void prefetchPlaces(const Command& command) const;
  void prefetch(const Command& command) const;
  static constexpr std::size_t PREFETCHED = 64;

  std::uint64_t lastIndex() const { return lastIndex_; }
  Stamp lastStamp() const { return lastStamp_; }

  // The earliest deadline of an open auction; null if none is open.
  std::optional<Stamp> nextDeadline() const;
  // True if an open auction's deadline is at or before `stamp`: time for a CloseExpired entry.
  bool expired(Stamp stamp) const;
  // Returns the name of the auction that `command` is about, if it is open and its deadline is at
  // or before `stamp`: time for a CloseDue entry before the command is judged.  Else empty.
  std::string_view due(const Command& command, Stamp stamp) const;
  // When the idlest session was last used; null if there is no session.
  std::optional<Stamp> idlestSession() const;

  // These find only what is in memory: null also for an auction that is over and released.
  const Auction* findAuction(std::string_view name) const;
  const Auction* findAuction(AuctionId id) const;
  // Returns up to `limit` auctions in memory with an id above `after`, in order of creation.
  std::vector<const Auction*> listAuctions(AuctionId after, std::size_t limit) const;
  const Bidder* findBidder(std::string_view name) const;
  const Bidder& bidder(BidderId id) const;  // Throws std::out_of_range.
  const Session* findSession(std::uint64_t id) const;

  std::size_t auctionCount() const;  // All that were ever made.
  std::size_t bidderCount() const;
  std::size_t sessionCount() const;

  // A capture is what has changed since the one before, or since the state was loaded: records that
  // complete those captured before (records.h).  It takes time in proportion to the changes, so it
  // is made in steps (R16).  It has the state as of beginCapture(), whatever is applied meanwhile:
  // what is about to change is captured first.
  void beginCapture();
  bool capturing() const { return capture_ != nullptr; }
  // Captures up to `most` more auctions, bidders and sessions, fewer if they are long.  Returns
  // true if it finds none left.
  bool continueCapture(std::size_t most);
  // Ends the capture and returns all of it.
  Changes endCapture();
  // Takes all steps at once.
  Changes capture();
  // About how many records the next capture would have.
  std::size_t uncaptured() const {
    return changedAuctions.size() + (bidders.size() - capturedBidders) + sessions.changes();
  }

  // Forgets what need not stay in memory of these changes, which the store has.  They must be of
  // this state, but need not be the last ones captured.
  void release(const Changes& changes) { release(changes, 0, changes.toRelease.size()); }
  // Does so for at most `most` of toRelease, from number `first` on.  Returns for how many.
  std::size_t release(const Changes& changes, std::size_t first, std::size_t most);

  // Returns the SHA-256 of the totals, then of all open auctions, bidders and sessions, each by id
  // and encoded as records.h says.  It is the same on every node with the same log.
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

  // How far the captures reach, including the one under way.
  std::uint64_t capturedIndex = 0;
  std::uint64_t capturedBidders = 0;
  // Each capture ends a round: what changes after that belongs to the next one.
  static constexpr std::uint32_t NO_ROUND = UINT32_MAX;
  std::uint32_t round = 1;
  std::uint32_t capturedRound = NO_ROUND;  // The round of the capture under way.
  std::vector<Auction*> changedAuctions;   // Those that changed in `round`.
  struct Capture;
  std::unique_ptr<Capture> capture_;

  // In judge.cc: these decide what an entry will do.
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

  // In state.cc: the effects of entries that run.
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

  // These are called for whatever is about to change or to be removed.
  Auction& change(const Auction& element) {
    Auction& auction = auctions.edit(element);
    if (auction.changedIn == capturedRound) captureNow(auction);
    return auction;
  }
  void captureBeforeChange(const Session& session) {
    if (session.changedIn == capturedRound) captureNow(sessions.edit(session));
  }
};

// Identifies what a request asks for.  A retry has the same fingerprint; another use of its id has
// a different one (R7).
std::uint64_t fingerprint(const Command& command);

}  // namespace gavel::auction
