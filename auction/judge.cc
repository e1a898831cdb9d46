#include <type_traits>
#include <variant>

#include "auction/decision.h"
#include "auction/rules.h"
#include "auction/state.h"

// Judging decides what an entry will do.  Nothing here changes the state.
namespace gavel::auction {
namespace {

using Kind = Outcome::Kind;
using Standing = Sessions::Standing;

// Commands outside of sessions are never deduplicated, and succeed unless they are malformed.
template <class Command>
constexpr bool IS_SESSIONLESS =
    std::is_same_v<Command, OpenSession> || std::is_same_v<Command, ExpireSessions> ||
    std::is_same_v<Command, CloseExpired> || std::is_same_v<Command, CloseDue> ||
    std::is_same_v<Command, Tick>;

bool withinLimit(const Command& command) {
  if (const auto* expire = std::get_if<ExpireSessions>(&command)) {
    return expire->limit <= MOST_ENDED;
  }
  const auto* closing = std::get_if<CloseExpired>(&command);
  return closing == nullptr || closing->limit <= MOST_ENDED;
}

}  // namespace

Judgement State::judge(const Entry& entry) const {
  return decide(entry).judgement;
}

State::Decision State::decide(const Entry& entry) const {
  Decision decision = std::visit(
      [&](const auto& command) {
        if constexpr (!IS_SESSIONLESS<std::decay_t<decltype(command)>>) {
          return decideRequest(entry, command);
        } else {
          Decision decision;
          const bool own = entry.request.session == 0;
          decision.runs = own && withinLimit(entry.command);
          if (!decision.runs) decision.rejectForGood(Kind::invalidArgument);
          if (!own) decision.judgement.outcome.argument = Outcome::Argument::sequence;
          return decision;
        }
      },
      entry.command);
  if (!decision.retry) {
    decision.judgement.outcome.stamp = entry.stamp;
    decision.judgement.outcome.index = decision.judgement.log ? entry.index : 0;
  }
  return decision;
}

// Decides the requests of clients: by static validity, then the session, then the effect.
template <class Request>
State::Decision State::decideRequest(const Entry& entry, const Request& request) const {
  Decision decision;
  Judgement& judgement = decision.judgement;
  const Standing standing = sessions.standing(entry.request);
  if (standing.kind == Standing::Kind::fresh) decision.session = standing.session;

  auto flaw = findFlaw(request);
  if (!flaw) flaw = findFlaw(entry.request);
  if (flaw) {
    decision.rejectForGood(flaw->kind);
    judgement.outcome.argument = flaw->argument;
    return decision;
  }

  judgement.basis = lastIndex_;
  switch (standing.kind) {
    case Standing::Kind::unknown:
      decision.rejectForGood(Kind::sessionExpired);
      break;
    case Standing::Kind::forgotten:
      decision.rejectForGood(Kind::requestForgotten);
      break;
    case Standing::Kind::full:
      // A later state could undo this, but it is about this attempt and not about the bid: the
      // client raises lowestIncomplete, which frees records, and tries again.
      decision.rejectForGood(Kind::tooManyIncomplete);
      break;
    case Standing::Kind::recorded:
      judgement.basis = standing.record->outcome.index;
      if (standing.record->fingerprint == fingerprint(entry.command)) {
        decision.retry = true;
        judgement.log = false;
        judgement.outcome = standing.record->outcome;
      } else {
        decision.rejectForGood(Kind::requestMismatch);
      }
      break;
    case Standing::Kind::fresh:
      decideEffect(decision, entry, request);
      decision.runs = judgement.outcome.kind == Kind::success;
      break;
  }
  return decision;
}

// Finds out who asks.  Returns false, with the decision made, if the name is somebody else's.
bool State::identify(Decision& decision, const Identity& asker) const {
  const Bidder* known = bidders.find(asker.name);
  if (known == nullptr) {
    decision.registers = &asker;
    decision.asker = bidders.nextId();
    return true;
  }
  if (known->credential != asker.credential) {
    decision.rejectForGood(Kind::notYours);
    return false;
  }
  decision.asker = known->id;
  return true;
}

// Finds an auction that is over and in the store only.
std::optional<Auction> State::findReleased(std::string_view name) const {
  const bool noneReleased = auctions.size() == auctionsMade;
  return ended == nullptr || noneReleased ? std::nullopt : ended->find(name);
}

void State::decideEffect(Decision& decision, const Entry& entry, const Bid& bid) const {
  if (!identify(decision, bid.bidder)) return;
  // A name's first bid registers it even when it fails, so its outcome is always logged.
  const auto reject = [&](Kind kind) {
    decision.registers ? decision.rejectForNow(kind) : decision.rejectForGood(kind);
  };

  const Auction* auction = auctions.find(bid.auction);
  if (auction == nullptr) {
    if (findReleased(bid.auction)) return reject(Kind::closed);
    return decision.rejectForNow(Kind::noSuchAuction);
  }
  if (auction->phase != Auction::Phase::open) return reject(Kind::closed);
  // The bid is late, but no entry has closed the auction: see judge().
  if (entry.stamp >= auction->deadline) return decision.rejectForNow(Kind::closed);

  Outcome& outcome = decision.judgement.outcome;
  const Amount nextValid = auction->nextValid();
  if (nextValid == 0 || bid.amount < nextValid) {
    outcome.highest = auction->highest;
    outcome.nextValid = nextValid;
    return reject(auction->highest == 0 ? Kind::belowStart : Kind::tooLow);
  }
  decision.auction = auction;
  outcome.version = auction->version() + 1;
  outcome.deadline = deadlineAfterBid(*auction, entry.stamp);
}

void State::decideEffect(Decision& decision, const Entry& entry,
                         const CreateAuction& create) const {
  if (!identify(decision, create.owner)) return;
  if (auctions.find(create.auction) != nullptr || findReleased(create.auction)) {
    // A name of an auction never becomes free again, so only a registration needs the log.
    return decision.registers ? decision.rejectForNow(Kind::alreadyExists)
                              : decision.rejectForGood(Kind::alreadyExists);
  }
  decision.judgement.outcome.version = 1;
  decision.judgement.outcome.deadline = after(entry.stamp, create.terms.duration);
}

void State::decideEffect(Decision& decision, const Entry& entry, const CloseAuction& close) const {
  decideEarlyEnd(decision, entry, close.auction, close.owner);
}

void State::decideEffect(Decision& decision, const Entry& entry,
                         const CancelAuction& cancel) const {
  decideEarlyEnd(decision, entry, cancel.auction, cancel.owner);
}

// Decides close and cancel.  Only the owner may, while the auction is open.  They register nobody.
void State::decideEarlyEnd(Decision& decision, const Entry& entry, std::string_view name,
                           const Identity& asker) const {
  const Auction* auction = auctions.find(name);
  std::optional<Auction> released;
  if (auction == nullptr) {
    released = findReleased(name);
    if (!released) return decision.rejectForNow(Kind::noSuchAuction);
    auction = &*released;
  }
  const Bidder& owner = bidders.at(auction->owner);
  if (owner.name != asker.name || owner.credential != asker.credential) {
    return decision.rejectForGood(Kind::notYours);
  }
  if (auction->phase != Auction::Phase::open) return decision.rejectForGood(Kind::closed);
  if (entry.stamp >= auction->deadline) return decision.rejectForNow(Kind::closed);

  decision.asker = owner.id;
  decision.auction = auction;
  decision.judgement.outcome.version = auction->version() + 1;
  decision.judgement.outcome.deadline = auction->deadline;
}

}  // namespace gavel::auction
