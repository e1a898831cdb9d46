#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/history/checker.h"
#include "tests/history/history.h"

// Histories written by hand, all on auction "lamp", which "owner" creates with version 1: increment
// 10, starting price 50, open for a long time.  Version v has log index 10 v and stamp 1000 + v.
namespace gavel::history::test {

constexpr std::int64_t DURATION = 1'000'000;
constexpr std::int64_t DEADLINE = 1001 + DURATION;

inline Outcome told(Outcome::Kind kind) {
  Outcome outcome;
  outcome.kind = kind;
  return outcome;
}
inline Outcome success(std::uint64_t version) {
  auto outcome = told(Outcome::Kind::success);
  outcome.version = version;
  outcome.index = 10 * version;
  outcome.stamp = 1000 + static_cast<std::int64_t>(version);
  outcome.deadline = DEADLINE;
  return outcome;
}
inline Outcome tooLow(std::int64_t highest) {
  auto outcome = told(Outcome::Kind::tooLow);
  outcome.amount = highest;
  outcome.nextValid = highest + 10;
  return outcome;
}
inline Outcome belowStart() {
  auto outcome = told(Outcome::Kind::belowStart);
  outcome.nextValid = 50;
  return outcome;
}
inline Outcome unknown() {
  return told(Outcome::Kind::unknown);
}
inline Outcome closed() {
  return told(Outcome::Kind::closed);
}
inline Outcome seen(Outcome::Kind kind, std::uint64_t version, std::int64_t amount = 0,
                    std::string who = "") {
  auto outcome = told(kind);
  outcome.version = version;
  outcome.index = 10 * version;
  outcome.deadline = DEADLINE;
  outcome.amount = amount;
  outcome.who = std::move(who);
  if (kind == Outcome::Kind::open) outcome.nextValid = amount == 0 ? 50 : amount + 10;
  return outcome;
}
inline Outcome open(std::uint64_t version, std::int64_t amount = 0, std::string who = "") {
  return seen(Outcome::Kind::open, version, amount, std::move(who));
}
inline Outcome due(std::uint64_t version, std::int64_t amount = 0, std::string who = "") {
  auto outcome = open(version, amount, std::move(who));
  outcome.nextValid = 0;
  outcome.due = true;
  return outcome;
}
inline Outcome sold(std::uint64_t version, std::int64_t amount, std::string who) {
  return seen(Outcome::Kind::sold, version, amount, std::move(who));
}

// The begin and end of an operation.
struct During {
  std::int64_t from;
  std::int64_t to;
};

class Story {
public:
  // Begins with the creation, from 0 to 1.
  Story() {
    Operation create;
    create.kind = Kind::create;
    create.terms.duration = DURATION;
    create.terms.startingPrice = 50;
    create.terms.increment = 10;
    add(create, "owner", {0, 1}, success(1));
    version(Version::Kind::created, "owner");
  }

  Story& bid(const std::string& who, std::int64_t amount, During during, Outcome outcome) {
    Operation operation;
    operation.kind = Kind::bid;
    operation.amount = amount;
    return add(operation, who, during, std::move(outcome));
  }
  Story& imposture(const std::string& who, std::int64_t amount, During during, Outcome outcome) {
    Operation operation;
    operation.kind = Kind::bid;
    operation.amount = amount;
    operation.impostor = true;
    return add(operation, who, during, std::move(outcome));
  }
  Story& result(During during, Outcome outcome) { return add({}, "", during, std::move(outcome)); }
  Story& ask(Kind kind, const std::string& who, During during, Outcome outcome) {
    Operation operation;
    operation.kind = kind;
    return add(operation, who, during, std::move(outcome));
  }

  // Adds the next version of the final history.
  Story& accepted(const std::string& who, std::int64_t amount) {
    return version(Version::Kind::bid, who, amount);
  }
  Story& soldTo(const std::string& who, std::int64_t amount) {
    return version(Version::Kind::closed, who, amount);
  }
  Story& cancelled(const std::string& who) { return version(Version::Kind::cancelled, who); }
  Story& version(Version::Kind kind, const std::string& who, std::int64_t amount = 0) {
    auto number = versions.size() + 1;
    auto told = success(number);
    versions.push_back({number, kind, who, amount, told.index, told.stamp, told.deadline});
    return *this;
  }
  // Makes the last version of the final history one that came at the deadline.
  Story& atDeadline() {
    versions.back().stamp = DEADLINE;
    return *this;
  }

  std::vector<Version> versions;
  std::vector<Operation> operations;

  History history() const {
    History result;
    for (auto& operation: operations) result.add(operation);
    result.add(FinalHistory{"lamp", 10'000, 10'001, versions});
    return result;
  }
  // Returns what is wrong with it; empty if nothing.
  std::string problem() const {
    auto verdict = check(history());
    return verdict.linearizable() ? "" : verdict.text();
  }

private:
  Story& add(Operation operation, const std::string& who, During during, Outcome outcome) {
    operation.client = static_cast<std::uint32_t>(operations.size() + 1);
    operation.auction = "lamp";
    operation.who = who;
    operation.invoked = during.from;
    operation.returned = during.to;
    operation.outcome = std::move(outcome);
    operations.push_back(std::move(operation));
    return *this;
  }
};

}  // namespace gavel::history::test
