#include "tests/auction/model.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>
#include <variant>

namespace gavel::auction::test {
namespace {

using Kind = Outcome::Kind;
using Argument = Outcome::Argument;

// The random tests draw their names from a few.  These of them are invalid.
bool badName(std::string_view name) {
  return name.empty() || name == "\xff" || name == "a\nb";
}

std::string describe(const Identity& identity) {
  return std::string(identity.name) + '|' +
         std::string(identity.credential.begin(), identity.credential.end()) + '|';
}

// The payload of a client's command; empty for other commands.
std::string describe(const Command& command) {
  const auto number = [](std::int64_t n) { return std::to_string(n) + '|'; };
  if (const auto* bid = std::get_if<Bid>(&command)) {
    return "bid|" + std::string(bid->auction) + '|' + describe(bid->bidder) + number(bid->amount);
  }
  if (const auto* create = std::get_if<CreateAuction>(&command)) {
    const Terms& t = create->terms;
    return "create|" + std::string(create->auction) + '|' + describe(create->owner) +
           std::string(t.item) + '|' + number(t.duration) + number(t.startingPrice) +
           number(t.reserve) + number(int(t.increment.kind)) + number(t.increment.value) +
           number(t.softClose.window) + number(t.softClose.extension) + number(t.softClose.hardEnd);
  }
  if (const auto* close = std::get_if<CloseAuction>(&command)) {
    return "close|" + std::string(close->auction) + '|' + describe(close->owner);
  }
  if (const auto* cancel = std::get_if<CancelAuction>(&command)) {
    return "cancel|" + std::string(cancel->auction) + '|' + describe(cancel->owner);
  }
  return "";
}

Outcome flawOf(const Command& command, const RequestId& request) {
  Outcome outcome;
  const auto invalid = [&](Argument argument) {
    outcome.kind = Kind::invalidArgument;
    outcome.argument = argument;
    return outcome;
  };
  std::string_view auction, asker;
  std::visit(
      [&](const auto& c) {
        if constexpr (requires { c.bidder; }) {
          auction = c.auction, asker = c.bidder.name;
        } else if constexpr (requires { c.owner; }) {
          auction = c.auction, asker = c.owner.name;
        }
      },
      command);
  if (badName(auction)) return invalid(Argument::auctionName);
  if (badName(asker)) return invalid(Argument::bidderName);
  if (const auto* bid = std::get_if<Bid>(&command); bid != nullptr && bid->amount < 1) {
    outcome.kind = Kind::invalidAmount;
    return outcome;
  }
  if (const auto* create = std::get_if<CreateAuction>(&command)) {
    if (create->terms.duration < 1) return invalid(Argument::duration);
    if (create->terms.increment.value < 1) return invalid(Argument::increment);
  }
  if (request.sequence == 0 || request.sequence < request.lowestIncomplete) {
    return invalid(Argument::sequence);
  }
  return outcome;
}

}  // namespace

bool Model::Lot::accepts(Amount amount) const {
  if (bids.empty()) return amount >= 1 && amount >= startingPrice;
  const __int128 highest = bids.back().first;
  const __int128 rise = amount - highest;
  if (rise < 1) return false;
  return increment.kind == Increment::Kind::absolute ? rise >= increment.value
                                                     : rise * 10'000 >= highest * increment.value;
}

Amount Model::Lot::lowestAccepted() const {
  Amount refused = 0, accepted = std::numeric_limits<Amount>::max();
  if (!accepts(accepted)) return 0;
  while (accepted - refused > 1) {
    const Amount middle = refused + (accepted - refused) / 2;
    (accepts(middle) ? accepted : refused) = middle;
  }
  return accepted;
}

void Model::Lot::end() {
  phase = "closed";
  versions += 1;
}

bool Model::Lot::sold() const {
  return !bids.empty() && bids.back().first >= reserve;
}

// Ends the idlest sessions first: those whose last use is in the earliest entries.
void Model::expireSessions(const ExpireSessions& expire) {
  for (std::uint32_t ended = 0; expire.limit == 0 || ended < expire.limit; ++ended) {
    const auto idlest = std::min_element(
        clients.begin(), clients.end(),
        [](const auto& a, const auto& b) { return a.second.lastEntry < b.second.lastEntry; });
    if (idlest == clients.end() || idlest->second.lastUsed >= expire.idleSince) return;
    clients.erase(idlest);
  }
}

Model::Lot* Model::findLot(std::string_view name) {
  for (Lot& lot: lots) {
    if (lot.name == name) return &lot;
  }
  return nullptr;
}

const CredentialHash* Model::findName(std::string_view name) const {
  for (const auto& [known, credential]: names) {
    if (known == name) return &credential;
  }
  return nullptr;
}

Model::Prediction Model::apply(const Entry& entry) {
  Prediction prediction;
  Outcome& outcome = prediction.outcome;
  prediction.basis = lastIndex;
  lastIndex = entry.index;
  const auto stamped = [&] {
    outcome.index = entry.index;
    outcome.stamp = entry.stamp;
    return prediction;
  };
  const auto refused = [&] {
    prediction.log = false;
    prediction.basis = 0;
    outcome.kind = Kind::invalidArgument;
    return stamped();
  };

  if (describe(entry.command).empty()) {
    if (std::holds_alternative<OpenSession>(entry.command)) {
      clients[entry.index].lastUsed = entry.stamp;
      clients[entry.index].lastEntry = entry.index;
    } else if (const auto* expire = std::get_if<ExpireSessions>(&entry.command)) {
      if (expire->limit > 1000) return refused();
      expireSessions(*expire);
    } else if (const auto* expired = std::get_if<CloseExpired>(&entry.command)) {
      if (expired->limit > 1000) return refused();
      for (std::uint32_t ended = 0; expired->limit == 0 || ended < expired->limit; ++ended) {
        Lot* first = nullptr;
        for (Lot& lot: lots) {
          const bool due = lot.phase == "open" && lot.deadline <= entry.stamp;
          if (due && (first == nullptr || lot.deadline < first->deadline)) first = &lot;
        }
        if (first == nullptr) break;
        first->end();
      }
    } else if (!std::holds_alternative<Tick>(entry.command)) {
      Lot* lot = findLot(std::get<CloseDue>(entry.command).auction);
      if (lot != nullptr && lot->phase == "open" && lot->deadline <= entry.stamp) lot->end();
    }
    return stamped();
  }

  // The outcome of the session check.
  const auto found = clients.find(entry.request.session);
  Client* client = found == clients.end() ? nullptr : &found->second;
  const std::uint64_t sequence = entry.request.sequence;
  const bool forgotten = client != nullptr && (sequence < client->lowestIncomplete ||
                                               sequence < entry.request.lowestIncomplete);
  const bool recorded = client != nullptr && client->records.count(sequence) > 0;
  const bool fresh = client != nullptr && !forgotten && !recorded;

  outcome = flawOf(entry.command, entry.request);
  if (outcome.kind != Kind::success) {
    prediction.log = false;
    prediction.basis = 0;
  } else if (client == nullptr) {
    prediction.log = false;
    outcome.kind = Kind::sessionExpired;
  } else if (forgotten) {
    prediction.log = false;
    outcome.kind = Kind::requestForgotten;
  } else if (recorded) {
    const Record& record = client->records[sequence];
    prediction.log = false;
    prediction.basis = record.outcome.index;
    prediction.retry = record.payload == describe(entry.command);
    if (prediction.retry) {
      outcome = record.outcome;
      return prediction;
    }
    outcome.kind = Kind::requestMismatch;
  } else if (const auto* bid = std::get_if<Bid>(&entry.command)) {
    outcome = run(entry, *bid, prediction.log);
  } else if (const auto* create = std::get_if<CreateAuction>(&entry.command)) {
    outcome = run(entry, *create, prediction.log);
  } else if (const auto* close = std::get_if<CloseAuction>(&entry.command)) {
    outcome = runEnd(entry, close->auction, close->owner, "closed", prediction.log);
  } else if (const auto* cancel = std::get_if<CancelAuction>(&entry.command)) {
    outcome = runEnd(entry, cancel->auction, cancel->owner, "cancelled", prediction.log);
  }
  stamped();
  if (fresh) {
    client->lastUsed = entry.stamp;
    client->lastEntry = entry.index;
    client->records[sequence] = {describe(entry.command), outcome};
    const auto lowest = std::max(client->lowestIncomplete, entry.request.lowestIncomplete);
    client->lowestIncomplete = lowest;
    std::erase_if(client->records, [&](const auto& r) { return r.first < lowest; });
  }
  return prediction;
}

Outcome Model::run(const Entry& entry, const Bid& bid, bool& log) {
  Outcome outcome;
  const CredentialHash* known = findName(bid.bidder.name);
  if (known != nullptr && *known != bid.bidder.credential) {
    log = false;
    outcome.kind = Kind::notYours;
    return outcome;
  }
  const bool newcomer = known == nullptr;
  if (newcomer) names.emplace_back(bid.bidder.name, bid.bidder.credential);

  Lot* lot = findLot(bid.auction);
  log = true;
  if (lot == nullptr) {
    outcome.kind = Kind::noSuchAuction;
  } else if (lot->phase != "open") {
    outcome.kind = Kind::closed;
    log = newcomer;
  } else if (entry.stamp >= lot->deadline) {
    outcome.kind = Kind::closed;
  } else if (!lot->accepts(bid.amount)) {
    outcome.kind = lot->bids.empty() ? Kind::belowStart : Kind::tooLow;
    outcome.highest = lot->bids.empty() ? 0 : lot->bids.back().first;
    outcome.nextValid = lot->lowestAccepted();
    log = newcomer;
  } else {
    lot->bids.emplace_back(bid.amount, bid.bidder.name);
    if (lot->window > 0 && entry.stamp + lot->window >= lot->deadline) {
      const Stamp extended = std::min(entry.stamp + lot->extension, lot->hardEnd);
      if (extended > lot->deadline) lot->deadline = extended;
    }
    outcome.version = lot->versions += 1;
    outcome.deadline = lot->deadline;
  }
  return outcome;
}

Outcome Model::run(const Entry& entry, const CreateAuction& create, bool& log) {
  Outcome outcome;
  const CredentialHash* known = findName(create.owner.name);
  if (known != nullptr && *known != create.owner.credential) {
    log = false;
    outcome.kind = Kind::notYours;
    return outcome;
  }
  log = true;
  const bool newcomer = known == nullptr;
  if (newcomer) names.emplace_back(create.owner.name, create.owner.credential);
  if (findLot(create.auction) != nullptr) {
    log = newcomer;
    outcome.kind = Kind::alreadyExists;
    return outcome;
  }
  const Terms& terms = create.terms;
  Lot lot;
  lot.id = entry.index;
  lot.name = create.auction;
  lot.owner = create.owner.name;
  lot.created = entry.stamp;
  lot.deadline = entry.stamp + terms.duration;
  lot.hardEnd = terms.softClose.window > 0 ? entry.stamp + terms.softClose.hardEnd : 0;
  lot.startingPrice = terms.startingPrice;
  lot.reserve = terms.reserve;
  lot.increment = terms.increment;
  lot.window = terms.softClose.window;
  lot.extension = terms.softClose.extension;
  lots.push_back(lot);
  outcome.version = 1;
  outcome.deadline = lot.deadline;
  return outcome;
}

Outcome Model::runEnd(const Entry& entry, std::string_view auction, const Identity& owner,
                      const char* phase, bool& log) {
  Outcome outcome;
  Lot* lot = findLot(auction);
  log = true;
  if (lot == nullptr) {
    outcome.kind = Kind::noSuchAuction;
  } else if (lot->owner != owner.name || *findName(lot->owner) != owner.credential) {
    outcome.kind = Kind::notYours;
    log = false;
  } else if (lot->phase != "open") {
    outcome.kind = Kind::closed;
    log = false;
  } else if (entry.stamp >= lot->deadline) {
    outcome.kind = Kind::closed;
  } else {
    lot->phase = phase;
    outcome.version = lot->versions += 1;
    outcome.deadline = lot->deadline;
  }
  return outcome;
}

}  // namespace gavel::auction::test
