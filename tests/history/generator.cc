#include "tests/history/generator.h"

#include <algorithm>
#include <array>
#include <utility>

namespace gavel::history::test {
namespace {

using Told = Outcome::Kind;

constexpr std::int64_t STEP = 10;  // Between one execution and the next.
constexpr std::array<const char*, 3> NAMES{"ann", "bob", "cid"};
constexpr std::array<Told, 12> OUTCOMES{Told::unknown,  Told::notApplied, Told::success,
                                        Told::notYours, Told::closed,     Told::noSuchAuction,
                                        Told::tooLow,   Told::belowStart, Told::open,
                                        Told::sold,     Told::noSale,     Told::cancelled};

// Makes an operation look as if it had no outcome.
void forget(Operation& operation) {
  operation.outcome = {};
}

}  // namespace

Outcome tidy(const Outcome& outcome) {
  Outcome result;
  result.kind = outcome.kind;
  auto keep = [&](auto field) { result.*field = outcome.*field; };
  switch (outcome.kind) {
    case Told::success:
      keep(&Outcome::version);
      keep(&Outcome::index);
      keep(&Outcome::stamp);
      keep(&Outcome::deadline);
      break;
    case Told::tooLow:
      keep(&Outcome::amount);
      keep(&Outcome::nextValid);
      break;
    case Told::belowStart:
      keep(&Outcome::nextValid);
      break;
    case Told::open:
      keep(&Outcome::nextValid);
      keep(&Outcome::due);
      [[fallthrough]];
    case Told::sold:
      keep(&Outcome::amount);
      keep(&Outcome::who);
      [[fallthrough]];
    case Told::noSale:
    case Told::cancelled:
      keep(&Outcome::version);
      keep(&Outcome::index);
      keep(&Outcome::deadline);
      break;
    default:
      break;
  }
  return result;
}

History Generator::make(const Options& options) {
  Service service;
  History history;
  std::uint64_t index = 0;
  std::int64_t stamp = 1000;
  std::int64_t now = 1000;
  std::int64_t end = now;
  std::int64_t nextDeadline = NEVER;  // At the earliest.
  std::vector<std::string> auctions;
  for (std::size_t i = 0; i < options.auctions; ++i) {
    auctions.push_back(std::string(1, static_cast<char>('a' + i % 26)) + std::to_string(i / 26));
  }
  auto spread = [&]() { return static_cast<std::int64_t>(below(options.spread * STEP + 1)); };
  for (std::size_t i = 0; i < options.operations; ++i) {
    now += STEP;
    end = std::max(end, now);
    stamp += static_cast<std::int64_t>(below(options.stampStep + 1));
    ++index;
    if (stamp >= nextDeadline) {
      for (auto& auction: auctions) service.endBySelf(auction, index, stamp);
      nextDeadline = NEVER;
      for (auto& [auction, lot]: service.lots) {
        if (lot.open) nextDeadline = std::min(nextDeadline, lot.deadline);
      }
    }
    index += 1 + below(2);
    auto operation = drawOperation(options, service, auctions[below(auctions.size())]);
    operation.invoked = now - spread();
    operation.returned = now + spread();
    bool unknown = chance(options.unknown);
    if (unknown && chance(0.3)) operation.invoked -= 5 * STEP;  // It took effect late.
    if (!unknown || chance(0.6)) {
      operation.outcome = tidy(service.execute(operation, index, stamp));
    }
    if (operation.outcome.kind == Told::success) {
      nextDeadline = std::min(nextDeadline, operation.outcome.deadline);
    }
    if (unknown) forget(operation);
    if (operation.outcome.kind != Told::unknown) {
      end = std::max(end, operation.returned);
    } else if (chance(0.5)) {
      operation.returned = NEVER;
    }
    history.add(std::move(operation));
  }
  for (auto& auction: auctions) {
    history.add(FinalHistory{auction, end + 1, end + STEP, service.lots[auction].versions});
  }
  return history;
}

Operation Generator::drawOperation(const Options& options, const Service& service,
                                   const std::string& auction) {
  auto lot = service.lots.find(auction);
  bool exists = lot != service.lots.end();
  Operation operation;
  operation.client = static_cast<std::uint32_t>(below(options.clients));
  operation.auction = auction;
  auto what = below(100);
  if (!exists && chance(0.5)) what = 99;
  if (what < 28) return operation;  // A result.
  operation.who = drawName();
  operation.impostor = chance(0.06);
  if (what < 90 || (what < 95 && options.lasting)) {
    operation.kind = Kind::bid;
    auto highest = exists ? lot->second.highest : 0;
    operation.amount =
        std::max<std::int64_t>(1, highest - 6 + static_cast<std::int64_t>(below(25)));
  } else if (what < 93) {
    operation.kind = Kind::close;
  } else if (what < 95) {
    operation.kind = Kind::cancel;
  } else {
    operation.kind = Kind::create;
    operation.terms = drawTerms(options);
  }
  return operation;
}

Terms Generator::drawTerms(const Options& options) {
  Terms terms;
  auto most = static_cast<std::uint64_t>(options.duration);
  terms.duration = options.lasting ? options.duration : static_cast<std::int64_t>(1 + below(most));
  if (chance(0.5)) terms.startingPrice = static_cast<std::int64_t>(below(20));
  if (chance(0.4)) terms.reserve = static_cast<std::int64_t>(below(60));
  terms.percent = !options.lasting && chance(0.4);
  terms.increment = static_cast<std::int64_t>(1 + below(terms.percent ? 3000 : 6));
  if (chance(0.4)) {
    terms.window = static_cast<std::int64_t>(1 + below(most / 2));
    terms.extension = static_cast<std::int64_t>(1 + below(most / 2));
    terms.hardEnd = terms.duration + static_cast<std::int64_t>(below(most / 2));
  }
  return terms;
}

std::string Generator::drawName() {
  return NAMES[below(NAMES.size())];
}

History Generator::mutate(const History& history) {
  auto operations = history.operations();
  auto finals = history.finals();
  auto draw = [&]() -> Operation& { return operations[below(operations.size())]; };
  switch (below(9)) {
    case 0:
    case 1:
      mutateOutcome(draw());
      break;
    case 2:
      mutateRequest(draw());
      break;
    case 3:
    case 4:
      mutateTime(draw());
      break;
    case 5:
    case 6:
      mutateFinal(finals[below(finals.size())]);
      break;
    case 7:
      std::swap(draw().outcome, draw().outcome);
      break;
    case 8:
      if (chance(0.5)) {
        auto copy = draw();
        operations.push_back(copy);
      } else {
        operations.erase(operations.begin() +
                         static_cast<std::ptrdiff_t>(below(operations.size())));
      }
      break;
  }
  History result;
  for (auto& operation: operations) result.add(operation);
  for (auto& final: finals) result.add(final);
  return result;
}

void Generator::mutateOutcome(Operation& operation) {
  auto& outcome = operation.outcome;
  switch (below(8)) {
    case 0:
      nudge(outcome.version);
      break;
    case 1:
      nudge(outcome.index);
      break;
    case 2:
      nudge(outcome.amount);
      break;
    case 3:
      nudge(outcome.nextValid);
      break;
    case 4:
      outcome.who = drawName();
      break;
    case 5:
      nudge(chance(0.5) ? outcome.stamp : outcome.deadline);
      break;
    case 6:
      forget(operation);
      break;
    case 7:
      outcome.kind = OUTCOMES[below(OUTCOMES.size())];
      break;
  }
  outcome = tidy(outcome);
}

void Generator::mutateRequest(Operation& operation) {
  if (operation.kind == Kind::result) return;
  switch (below(4)) {
    case 0:
      operation.who = drawName();
      break;
    case 1:
      operation.impostor = !operation.impostor;
      break;
    case 2:
      nudge(operation.amount);
      break;
    case 3:
      nudge(chance(0.5) ? operation.terms.startingPrice : operation.terms.duration);
      break;
  }
}

void Generator::mutateTime(Operation& operation) {
  auto by = static_cast<std::int64_t>(below(12 * STEP)) - 6 * STEP;
  if (chance(0.6)) operation.invoked += by;
  if (chance(0.6) && operation.returned != NEVER) operation.returned += by;
}

void Generator::mutateFinal(FinalHistory& final) {
  auto& versions = final.versions;
  if (versions.empty()) {
    versions.push_back({1, Version::Kind::created, drawName(), 0, 1, 1000, 1100});
    return;
  }
  auto at = below(versions.size());
  auto& there = versions[at];
  switch (below(7)) {
    case 0:
      versions.pop_back();
      break;
    case 1: {
      versions.erase(versions.begin() + static_cast<std::ptrdiff_t>(at));
      for (std::size_t i = at; i < versions.size(); ++i) --versions[i].version;
      break;
    }
    case 2:
      std::swap(there.who, versions[below(versions.size())].who);
      break;
    case 3:
      nudge(there.amount);
      break;
    case 4:
      there.who = drawName();
      break;
    case 5:
      nudge(chance(0.5) ? there.stamp : there.deadline);
      break;
    case 6: {
      auto copy = versions.back();
      ++copy.version;
      ++copy.index;
      copy.kind = static_cast<Version::Kind>(below(4));
      copy.amount += static_cast<std::int64_t>(below(10));
      versions.push_back(copy);
      break;
    }
  }
}

}  // namespace gavel::history::test
