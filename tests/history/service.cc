#include "tests/history/service.h"

namespace gavel::history::test {
namespace {

using Told = Outcome::Kind;

Outcome only(Told kind) {
  Outcome outcome;
  outcome.kind = kind;
  return outcome;
}

}  // namespace

bool Service::Lot::accepts(std::int64_t amount) const {
  if (highest == 0) return amount > 0 && amount >= terms.startingPrice;
  __int128 rise = static_cast<__int128>(amount) - highest;
  if (!terms.percent) return rise >= terms.increment;
  return rise > 0 && rise * 10000 >= static_cast<__int128>(highest) * terms.increment;
}

std::int64_t Service::Lot::lowestAccepted() const {
  std::int64_t amount = highest;
  while (!accepts(amount)) ++amount;
  return amount;
}

Outcome Service::execute(const Operation& operation, std::uint64_t index, std::int64_t stamp) {
  bool names = operation.kind == Kind::bid || operation.kind == Kind::create;
  if (names && operation.impostor) return only(Told::notYours);
  if (operation.kind == Kind::create) return create(operation, index, stamp);
  auto found = lots.find(operation.auction);
  if (found == lots.end()) return only(Told::noSuchAuction);
  if (operation.kind == Kind::bid) return bid(found->second, operation, index, stamp);
  if (operation.kind == Kind::result) return view(found->second, index);
  return end(found->second, operation, index, stamp);
}

Outcome Service::create(const Operation& operation, std::uint64_t index, std::int64_t stamp) {
  if (lots.count(operation.auction) > 0) return only(Told::alreadyExists);
  auto& lot = lots[operation.auction];
  lot.terms = operation.terms;
  lot.owner = operation.who;
  lot.created = stamp;
  lot.deadline = stamp + operation.terms.duration;
  return accept(lot, Version::Kind::created, lot.owner, 0, index, stamp);
}

Outcome Service::bid(Lot& lot, const Operation& operation, std::uint64_t index,
                     std::int64_t stamp) {
  if (!lot.open) return only(Told::closed);
  if (!lot.accepts(operation.amount)) {
    auto outcome = only(lot.highest == 0 ? Told::belowStart : Told::tooLow);
    outcome.amount = lot.highest;
    outcome.nextValid = lot.lowestAccepted();
    return outcome;
  }
  if (stamp >= lot.deadline) return only(Told::unexpected);
  lot.highest = operation.amount;
  lot.leader = operation.who;
  auto& terms = lot.terms;
  if (terms.window > 0 && stamp + terms.window >= lot.deadline) {
    auto moved = stamp + terms.extension;
    if (moved > lot.created + terms.hardEnd) moved = lot.created + terms.hardEnd;
    if (moved > lot.deadline) lot.deadline = moved;
  }
  return accept(lot, Version::Kind::bid, operation.who, operation.amount, index, stamp);
}

Outcome Service::end(Lot& lot, const Operation& operation, std::uint64_t index,
                     std::int64_t stamp) {
  if (operation.impostor || operation.who != lot.owner) return only(Told::notYours);
  if (!lot.open) return only(Told::closed);
  if (stamp >= lot.deadline) return only(Told::unexpected);
  if (operation.kind == Kind::close) return close(lot, index, stamp);
  lot.open = false;
  return accept(lot, Version::Kind::cancelled, lot.owner, 0, index, stamp);
}

bool Service::endBySelf(const std::string& auction, std::uint64_t index, std::int64_t stamp) {
  auto found = lots.find(auction);
  if (found == lots.end() || !found->second.open || stamp < found->second.deadline) return false;
  close(found->second, index, stamp);
  return true;
}

Outcome Service::close(Lot& lot, std::uint64_t index, std::int64_t stamp) {
  lot.open = false;
  bool sold = lot.highest > 0 && lot.highest >= lot.terms.reserve;
  return accept(lot, Version::Kind::closed, sold ? lot.leader : "", sold ? lot.highest : 0, index,
                stamp);
}

Outcome Service::view(const Lot& lot, std::uint64_t index) {
  auto& newest = lot.versions.back();
  Outcome outcome;
  outcome.version = newest.version;
  outcome.index = index;
  outcome.deadline = lot.deadline;
  if (lot.open) {
    outcome.kind = Told::open;
    outcome.amount = lot.highest;
    outcome.who = lot.leader;
    outcome.nextValid = lot.lowestAccepted();
  } else if (newest.kind == Version::Kind::cancelled) {
    outcome.kind = Told::cancelled;
  } else {
    outcome.kind = newest.amount > 0 ? Told::sold : Told::noSale;
    outcome.amount = newest.amount;
    outcome.who = newest.who;
  }
  return outcome;
}

Outcome Service::accept(Lot& lot, Version::Kind kind, const std::string& who, std::int64_t amount,
                        std::uint64_t index, std::int64_t stamp) {
  Version version{lot.versions.size() + 1, kind, who, amount, index, stamp, lot.deadline};
  lot.versions.push_back(version);
  auto outcome = only(Told::success);
  outcome.version = version.version;
  outcome.index = index;
  outcome.stamp = stamp;
  outcome.deadline = lot.deadline;
  return outcome;
}

}  // namespace gavel::history::test
