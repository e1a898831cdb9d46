#pragma once

#include <optional>

#include "auction/auction.h"
#include "auction/command.h"
#include "auction/outcome.h"

// The arithmetic of an auction and the checks that need no state.  Pure functions of their
// arguments.
namespace gavel::auction {

// What is wrong with a command in any state: `kind` is invalidAmount or invalidArgument.
struct Flaw {
  Outcome::Kind kind = Outcome::Kind::invalidArgument;
  Outcome::Argument argument = Outcome::Argument::none;
};

// Return the first flaw in the order of the fields.
std::optional<Flaw> findFlaw(const Bid& bid);
std::optional<Flaw> findFlaw(const CreateAuction& create);
std::optional<Flaw> findFlaw(const CloseAuction& close);
std::optional<Flaw> findFlaw(const CancelAuction& cancel);
std::optional<Flaw> findFlaw(const RequestId& request);

bool validIncrement(const Increment& increment);

// Returns the lowest amount that beats `highest` by `increment`; 0 if it is beyond int64.
Amount amountBeating(Amount highest, const Increment& increment);

// Returns the deadline after a bid stamped `stamp` is accepted: the soft close may have moved it.
Stamp deadlineAfterBid(const Auction& auction, Stamp stamp);

// Returns `stamp` + `duration`, or the highest stamp if that is beyond int64.  Neither may be
// negative.
Stamp after(Stamp stamp, Nanoseconds duration);

}  // namespace gavel::auction
