#include "auction/rules.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "auction/text.h"

namespace gavel::auction {
namespace {

using Argument = Outcome::Argument;

Flaw invalid(Argument argument) {
  return {Outcome::Kind::invalidArgument, argument};
}

std::optional<Flaw> findFlawInNames(std::string_view auction, std::string_view asker) {
  if (!validName(auction)) return invalid(Argument::auctionName);
  if (!validName(asker)) return invalid(Argument::bidderName);
  return std::nullopt;
}

bool validDuration(Nanoseconds duration) {
  return duration > 0 && duration <= MAX_DURATION;
}

// True if there is no soft close, or all of its parts make sense.
bool validSoftClose(const SoftClose& soft, Nanoseconds duration) {
  if (soft.window == 0 && soft.extension == 0 && soft.hardEnd == 0) return true;
  return validDuration(soft.window) && validDuration(soft.extension) &&
         validDuration(soft.hardEnd) && soft.hardEnd >= duration;
}

std::optional<Flaw> findFlawInTerms(const Terms& terms) {
  if (!validItem(terms.item)) return invalid(Argument::item);
  if (!validDuration(terms.duration)) return invalid(Argument::duration);
  if (terms.startingPrice < 0) return invalid(Argument::startingPrice);
  if (terms.reserve < 0) return invalid(Argument::reserve);
  if (!validIncrement(terms.increment)) return invalid(Argument::increment);
  if (!validSoftClose(terms.softClose, terms.duration)) return invalid(Argument::softClose);
  return std::nullopt;
}

}  // namespace

std::optional<Flaw> findFlaw(const Bid& bid) {
  if (auto flaw = findFlawInNames(bid.auction, bid.bidder.name)) return flaw;
  if (bid.amount <= 0) return Flaw{Outcome::Kind::invalidAmount, Argument::none};
  return std::nullopt;
}

std::optional<Flaw> findFlaw(const CreateAuction& create) {
  if (auto flaw = findFlawInNames(create.auction, create.owner.name)) return flaw;
  return findFlawInTerms(create.terms);
}

std::optional<Flaw> findFlaw(const CloseAuction& close) {
  return findFlawInNames(close.auction, close.owner.name);
}

std::optional<Flaw> findFlaw(const CancelAuction& cancel) {
  return findFlawInNames(cancel.auction, cancel.owner.name);
}

std::optional<Flaw> findFlaw(const RequestId& request) {
  if (request.sequence == 0 || request.sequence < request.lowestIncomplete) {
    return invalid(Argument::sequence);
  }
  return std::nullopt;
}

bool validIncrement(const Increment& increment) {
  switch (increment.kind) {
    case Increment::Kind::absolute:
      return increment.value >= 1;
    case Increment::Kind::percent:
      return increment.value >= 1 && increment.value <= MAX_INCREMENT_PERCENT;
  }
  return false;  // This version does not know that kind.
}

Amount amountBeating(Amount highest, const Increment& increment) {
  __int128 step = increment.value;  // At least one: no factor is zero, and it is rounded up.
  if (increment.kind == Increment::Kind::percent) {
    constexpr int WHOLE = 100 * 100;  // Hundredths of a percent.
    step = (step * highest + WHOLE - 1) / WHOLE;
  }
  const __int128 next = highest + step;
  return next <= std::numeric_limits<Amount>::max() ? static_cast<Amount>(next) : 0;
}

Stamp after(Stamp stamp, Nanoseconds duration) {
  return stamp > std::numeric_limits<Stamp>::max() - duration ? std::numeric_limits<Stamp>::max()
                                                              : stamp + duration;
}

Stamp deadlineAfterBid(const Auction& auction, Stamp stamp) {
  if (auction.softCloseWindow == 0 || stamp < auction.deadline - auction.softCloseWindow) {
    return auction.deadline;
  }
  const Stamp extended = std::min(after(stamp, auction.softCloseExtension), auction.hardEnd);
  return std::max(auction.deadline, extended);
}

Amount Auction::nextValid() const {
  if (phase != Phase::open) return 0;
  return highest == 0 ? std::max<Amount>(startingPrice, 1) : amountBeating(highest, increment);
}

bool Auction::sold() const {
  return phase == Phase::closed && highest > 0 && highest >= reserve;
}

}  // namespace gavel::auction
