#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "auction/command.h"

// What the state machine keeps about auctions and bidders.
namespace gavel::auction {

using AuctionId = std::uint64_t;  // Index of the creating entry.
using BidderId = std::uint64_t;   // Position in order of registration, from 1.

// These bounds are part of the rules: every node must have the same ones (R14).
constexpr std::size_t MAX_NAME_BYTES = 128;
constexpr std::size_t MAX_ITEM_BYTES = 4096;
constexpr Nanoseconds MAX_DURATION = 10LL * 366 * 24 * 3600 * 1'000'000'000;  // Ten years.
constexpr std::int64_t MAX_INCREMENT_PERCENT = 100'000;  // 1,000 %, in hundredths of a percent.

// One accepted change of an auction.  The history is the list of these, numbered from 1 without
// gaps.
struct Version {
  enum class Kind : std::uint8_t { created, bid, closed, cancelled };
  Kind kind = Kind::created;
  Stamp stamp = 0;
  std::uint64_t index = 0;  // The entry that made it.
  // created, cancelled: the owner.  bid: who bid.  closed: the winner, 0 for no sale.  If it was
  // closed early, the stamp is before the deadline.
  BidderId bidder = 0;
  Amount amount = 0;   // bid: the amount.  closed: the price, 0 for no sale.  Else 0.
  Stamp deadline = 0;  // The one in force after it.
};

// A store keeps the versions of an open auction in records of their own, up to the last multiple of
// this many.  The versions after that are in the auction's own record.  So most bids on a quiet
// auction change one record and not two.
constexpr std::uint64_t VERSIONS_TOGETHER = 4;

// An auction.  Its versions up to and including `released` are in a store only, and those after it
// are in memory: see State::capture() and State::release().
struct Auction {
  enum class Phase : std::uint8_t { open, closed, cancelled };

  AuctionId id = 0;
  std::string name;
  std::string item;
  BidderId owner = 0;
  Stamp created = 0;
  Nanoseconds duration = 0;  // As created; the deadline may have moved since.
  Stamp deadline = 0;
  Stamp hardEnd = 0;  // 0 where there is no soft close.
  Amount startingPrice = 0;
  Amount reserve = 0;
  Increment increment;
  Nanoseconds softCloseWindow = 0;
  Nanoseconds softCloseExtension = 0;
  Phase phase = Phase::open;
  std::uint32_t changedIn = 0;  // The round of captures in which it changed; 0: captured since.
  Amount highest = 0;           // 0 while there is no bid.
  BidderId highestBidder = 0;
  std::uint64_t released = 0;       // How many versions are in a store only.
  std::uint64_t captured = 0;       // How many versions captures have had; at least `released`.
  std::vector<Version> history;     // The versions after `released`, in order.
  std::uint64_t historyDigest = 0;  // Over all versions: see digest.h.

  std::uint64_t version() const { return released + history.size(); }
  // How many of its versions, from the first one on, have records of their own once they are
  // captured.  The others are in the auction's record.  This follows from the log alone.
  std::uint64_t versionsApart() const { return versionsApart(phase, version()); }
  static std::uint64_t versionsApart(Phase phase, std::uint64_t version) {
    return phase == Phase::open ? version - version % VERSIONS_TOGETHER : version;
  }
  // Returns version `number`; null if there is none, or if it is in a store only.
  const Version* findVersion(std::uint64_t number) const {
    return number > released && number <= version() ? &history[number - released - 1] : nullptr;
  }
  // True if it is open and its deadline is at or before `stamp`: it takes no request any more, but
  // the entry that closes it is still to come (R16).
  bool due(Stamp stamp) const { return phase == Phase::open && deadline <= stamp; }
  // Returns the lowest amount that would be accepted before the deadline; 0 if the auction is over
  // or no int64 is high enough.
  Amount nextValid() const;
  // True if it is closed and has a winner: somebody bid, and the reserve is met.
  bool sold() const;
};

// A name and the credential it is bound to.  Owners of auctions are bidders as well.
struct Bidder {
  BidderId id = 0;
  std::string name;
  CredentialHash credential{};
};

}  // namespace gavel::auction
