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

// Bounds.  They are part of the rules: every node must have the same ones (R14).
constexpr std::size_t MAX_NAME_BYTES = 128;
constexpr std::size_t MAX_ITEM_BYTES = 4096;
constexpr Nanoseconds MAX_DURATION = 10LL * 366 * 24 * 3600 * 1'000'000'000;  // Ten years.
constexpr std::int64_t MAX_INCREMENT_PERCENT = 100'000;  // 1,000 %, in hundredths of a percent.

// One accepted change of an auction.  History is the list of these, numbered from 1 without gaps.
struct Version {
  enum class Kind : std::uint8_t { created, bid, closed, cancelled };
  Kind kind = Kind::created;
  Stamp stamp = 0;
  std::uint64_t index = 0;  // Entry that made it.
  // created, cancelled: the owner.  bid: who bid.  closed: the winner, 0 for no sale; whether it
  // was closed early shows in the stamp being before the deadline.
  BidderId bidder = 0;
  Amount amount = 0;   // bid: the amount.  closed: the price, 0 for no sale.  Else 0.
  Stamp deadline = 0;  // In force after it.
};

// Where the history of an open auction has a multiple of this many versions, it goes on in the
// store in a record of its own; the versions behind are kept with the auction.  So that most bids
// on an auction that nobody else bids on change one record, and not two.
constexpr std::uint64_t VERSIONS_TOGETHER = 4;

// Its history is in a store up to version `released`, and in memory from there on: see
// State::capture() and State::release().
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
  std::uint32_t changedIn = 0;  // The round of captures in which it has changed; 0: not since one.
  Amount highest = 0;           // 0 while there is no bid.
  BidderId highestBidder = 0;
  std::uint64_t released = 0;       // Versions that are not in memory any more.
  std::uint64_t captured = 0;       // Versions that a capture has told; at least those released.
  std::vector<Version> history;     // The versions behind `released`, in order.
  std::uint64_t historyDigest = 0;  // Over all versions: see digest.h.

  std::uint64_t version() const { return released + history.size(); }
  // So many of its versions have records of their own, once they are captured; the others are in
  // the auction's.  Follows from the log alone.
  std::uint64_t versionsApart() const { return versionsApart(phase, version()); }
  static std::uint64_t versionsApart(Phase phase, std::uint64_t version) {
    return phase == Phase::open ? version - version % VERSIONS_TOGETHER : version;
  }
  // Version `number`; null if there is none, or if it is not in memory any more.
  const Version* findVersion(std::uint64_t number) const {
    return number > released && number <= version() ? &history[number - released - 1] : nullptr;
  }
  // Open, with the deadline at or before `stamp`: nothing can be done with it any more, but the
  // entry that closes it is still to come (R16).
  bool due(Stamp stamp) const { return phase == Phase::open && deadline <= stamp; }
  // The lowest amount that would be accepted before the deadline; 0 if the auction is over or no
  // int64 is high enough.
  Amount nextValid() const;
  // Closed with a winner: a bid, and the reserve met.
  bool sold() const;
};

// A name and the credential it is bound to.  Owners of auctions are bidders as well.
struct Bidder {
  BidderId id = 0;
  std::string name;
  CredentialHash credential{};
};

}  // namespace gavel::auction
