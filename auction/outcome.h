#pragma once

#include <cstdint>

#include "auction/command.h"

// The outcome of a request.  It is small and flat, so that request records (R7) stay cheap.
namespace gavel::auction {

struct Outcome {
  enum class Kind : std::uint8_t {
    // It happened.
    success,

    // A bid that was valid but not high enough.
    tooLow,      // `highest`, `nextValid`.
    belowStart,  // `nextValid` is the starting price.

    // It could not be judged as a bid or command at all.
    closed,             // Past the deadline, closed or cancelled.
    noSuchAuction,      // No auction has or had that name.
    invalidAmount,      // Not positive.
    invalidArgument,    // `argument` says which.
    notYours,           // The name belongs to another credential, or the auction to another owner.
    alreadyExists,      // An auction of that name exists or existed.
    sessionExpired,     // The session is unknown: the request never runs.
    requestMismatch,    // The request id was used before for something else.
    requestForgotten,   // Below the session's lowest incomplete sequence.
    tooManyIncomplete,  // The session holds as many request records as it may.
  };

  // Which argument is invalid, and how.
  enum class Argument : std::uint8_t {
    none,
    auctionName,    // Empty, too long, not UTF-8, or with control characters.
    bidderName,     // As for auctionName.
    item,           // Too long, not UTF-8, or with control characters besides newline and tab.
    duration,       // Not positive, or longer than MAX_DURATION.
    startingPrice,  // Negative.
    reserve,        // Negative.
    increment,      // Not positive, or a percentage above MAX_INCREMENT_PERCENT.
    softClose,   // Only some parts, or not within MAX_DURATION, or a hard end before the deadline.
    credential,  // Too short or too long: found before the rules see the request.
    sequence,    // Zero, or below the request's own lowest incomplete sequence.
  };

  Kind kind = Kind::success;
  Argument argument = Argument::none;
  std::uint64_t index = 0;    // The entry that decided it; 0 for a reject that was not logged.
  std::uint64_t version = 0;  // success: of the auction, after the change.
  Stamp stamp = 0;            // Chain time of the decision.
  Stamp deadline = 0;         // success: of the auction, after the change.
  Amount highest = 0;         // tooLow: the bid to beat.
  Amount nextValid = 0;  // tooLow, belowStart: the lowest amount valid now; 0 if there is none.

  bool operator==(const Outcome&) const = default;
};

}  // namespace gavel::auction
