#include "tests/history/history.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <kj/debug.h>

namespace gavel::history {
namespace {

std::string seconds(std::int64_t time) {
  if (time == NEVER) return "…";
  char text[40];
  snprintf(text, sizeof(text), "%.6f", static_cast<double>(time) / 1e9);
  return text;
}

std::string number(std::int64_t value) {
  return std::to_string(value);
}

std::string request(const Operation& operation) {
  switch (operation.kind) {
    case Kind::create:
      return "create of " + operation.auction;
    case Kind::bid:
      return "bid of " + number(operation.amount) + " on " + operation.auction;
    case Kind::close:
      return "close of " + operation.auction;
    case Kind::cancel:
      return "cancel of " + operation.auction;
    case Kind::result:
      return "result of " + operation.auction;
  }
  return "?";
}

std::string leading(const Outcome& outcome) {
  return outcome.amount == 0 ? "no bid yet" : number(outcome.amount) + " by " + outcome.who;
}

std::string answer(const Outcome& outcome) {
  auto version = "version " + std::to_string(outcome.version);
  switch (outcome.kind) {
    case Outcome::Kind::unknown:
      return "outcome unknown";
    case Outcome::Kind::notApplied:
      return "certainly not applied";
    case Outcome::Kind::unexpected:
      return "unexpected: " + outcome.detail;
    case Outcome::Kind::success:
      return "success, " + version;
    case Outcome::Kind::notYours:
      return "not yours";
    case Outcome::Kind::closed:
      return "closed";
    case Outcome::Kind::noSuchAuction:
      return "no such auction";
    case Outcome::Kind::alreadyExists:
      return "already exists";
    case Outcome::Kind::tooLow:
      return "too low, the highest is " + number(outcome.amount) + ", the next valid amount " +
             number(outcome.nextValid);
    case Outcome::Kind::belowStart:
      return "below the starting price " + number(outcome.nextValid);
    case Outcome::Kind::open:
      return (outcome.due ? "due at " : "open at ") + version + ", " + leading(outcome);
    case Outcome::Kind::sold:
      return "sold at " + version + ", " + leading(outcome);
    case Outcome::Kind::noSale:
      return "no sale at " + version;
    case Outcome::Kind::cancelled:
      return "cancelled at " + version;
  }
  return "?";
}

}  // namespace

std::string describe(const Operation& operation) {
  std::string text = request(operation);
  if (!operation.who.empty()) text += " by " + operation.who;
  if (operation.impostor) text += " (an impostor)";
  return text + " (client " + std::to_string(operation.client) + ", " + seconds(operation.invoked) +
         " to " + seconds(operation.returned) + " s): " + answer(operation.outcome);
}

std::string describe(const Version& version) {
  auto text = "version " + std::to_string(version.version) + ", ";
  switch (version.kind) {
    case Version::Kind::created:
      return text + "created by " + version.who;
    case Version::Kind::bid:
      return text + number(version.amount) + " by " + version.who;
    case Version::Kind::closed:
      if (version.who.empty()) return text + "closed without a sale";
      return text + "closed, sold for " + number(version.amount) + " to " + version.who;
    case Version::Kind::cancelled:
      return text + "cancelled by " + version.who;
  }
  return "?";
}

History::Id History::begin(Operation operation) {
  operation.returned = NEVER;
  operation.outcome = {};
  return add(std::move(operation));
}

History::Id History::add(Operation operation) {
  operations_.push_back(std::move(operation));
  return operations_.size() - 1;
}

void History::end(Id id, std::int64_t returned, Outcome outcome) {
  auto& operation = operations_.at(id);
  KJ_REQUIRE(operation.outcome.kind == Outcome::Kind::unknown, "its outcome is known already",
             describe(operation).c_str());
  operation.returned = returned;
  operation.outcome = std::move(outcome);
}

void History::add(FinalHistory final) {
  finals_.push_back(std::move(final));
}

std::int64_t History::moment(std::int64_t now) {
  lastMoment = std::max(now, lastMoment + 1);
  return lastMoment;
}

}  // namespace gavel::history
