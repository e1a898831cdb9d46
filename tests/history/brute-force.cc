#include "tests/history/brute-force.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/history/service.h"

namespace gavel::history::test {
namespace {

using Told = Outcome::Kind;

class Search {
public:
  explicit Search(const History& history): history(history) {}

  bool run() {
    for (auto& final: history.finals()) {
      if (!finals.emplace(final.auction, &final).second) return false;
    }
    std::size_t required = 0;
    std::vector<bool> placed;
    for (auto& operation: history.operations()) {
      auto final = finals.find(operation.auction);
      bool known = operation.outcome.kind != Told::unknown;
      if (final == finals.end() || operation.returned < operation.invoked) return false;
      if (known && operation.returned >= final->second->invoked) return false;
      if (operation.outcome.kind == Told::unexpected) return false;
      placed.push_back(operation.outcome.kind == Told::notApplied);
      if (known && !placed.back()) ++required;
    }
    return search({Service(), placed, required, 0, 0, 0, false});
  }

private:
  struct State {
    Service service;
    std::vector<bool> placed;
    std::size_t required;     // Operations with a known outcome that are not placed yet.
    std::uint64_t lastIndex;  // Of the newest change.
    std::uint64_t seenIndex;  // The next change has a higher one.
    std::int64_t lastStamp;
    bool bySelf;  // The newest change came by itself.
    // Auctions that were seen when they were due: only their end can change them any more.
    std::set<std::string> due = {};
  };

  const History& history;
  std::map<std::string, const FinalHistory*> finals;
  std::set<std::tuple<std::vector<bool>, std::vector<std::size_t>, std::uint64_t>> visited;

  const Version* nextVersion(const State& state, const std::string& auction) const {
    auto lot = state.service.lots.find(auction);
    std::size_t made = lot == state.service.lots.end() ? 0 : lot->second.versions.size();
    auto& versions = finals.at(auction)->versions;
    return made < versions.size() ? &versions[made] : nullptr;
  }

  // Whether the newest change is the one that the final history has there.
  bool follow(State& state, const std::string& auction, const Version& expected, bool bySelf) {
    auto& made = state.service.lots.at(auction).versions.back();
    bool sameEntry = bySelf && state.bySelf && expected.index == state.lastIndex &&
                     expected.stamp == state.lastStamp;
    if (made != expected || expected.stamp < state.lastStamp) return false;
    if (expected.index <= state.seenIndex && !sameEntry) return false;
    state.lastIndex = expected.index;
    state.seenIndex = std::max(state.seenIndex, expected.index);
    state.lastStamp = expected.stamp;
    state.bySelf = bySelf;
    return true;
  }

  bool mayBeNext(const State& state, const Operation& operation) const {
    for (std::size_t i = 0; i < state.placed.size(); ++i) {
      auto& other = history.operations()[i];
      if (!state.placed[i] && other.outcome.kind != Told::unknown &&
          other.returned < operation.invoked) {
        return false;
      }
    }
    return true;
  }

  // Returns false if it cannot be executed now with its outcome.
  bool execute(State& state, const Operation& operation) {
    auto* next = nextVersion(state, operation.auction);
    if (operation.kind == Kind::result) {
      auto told = operation.outcome;
      if (told.index != 0) {
        if (told.index < state.lastIndex) return false;
        state.seenIndex = std::max(state.seenIndex, told.index);
      }
      auto seen = state.service.execute(operation, told.index, 0);
      if (told.due && seen.kind == Told::open) {
        state.due.insert(operation.auction);
        seen.due = true;
        seen.nextValid = 0;
      }
      return seen == told;
    }
    // If there is no next version, an operation that changes something is wrong below.
    auto outcome = state.service.execute(operation, next ? next->index : 0, next ? next->stamp : 0);
    bool unknown = operation.outcome.kind == Told::unknown;
    if (!unknown && outcome != operation.outcome) return false;
    if (outcome.kind != Told::success) return !unknown;  // Leaving it out does as well.
    if (state.due.count(operation.auction) > 0) return false;
    if (unknown && operation.invoked > finals.at(operation.auction)->returned) return false;
    return next != nullptr && follow(state, operation.auction, *next, false);
  }

  // One entry may end several auctions, and nothing comes in between.
  bool entryUnfinished(const State& state) const {
    if (!state.bySelf) return false;
    for (auto& [auction, final]: finals) {
      auto* next = nextVersion(state, auction);
      if (next != nullptr && next->index == state.lastIndex) return true;
    }
    return false;
  }

  bool finished(const State& state) const {
    if (state.required > 0) return false;
    for (auto& [auction, final]: finals) {
      if (nextVersion(state, auction) != nullptr) return false;
    }
    return true;
  }

  bool search(const State& state) {
    if (finished(state)) return true;
    std::vector<std::size_t> versions;
    for (auto& [auction, final]: finals) {
      auto lot = state.service.lots.find(auction);
      versions.push_back(lot == state.service.lots.end() ? 0 : lot->second.versions.size());
    }
    if (!visited.emplace(state.placed, versions, state.seenIndex).second) return false;
    for (auto& [auction, final]: finals) {
      auto* next = nextVersion(state, auction);
      if (next == nullptr) continue;
      auto after = state;
      if (after.service.endBySelf(auction, next->index, next->stamp) &&
          follow(after, auction, *next, true) && search(after)) {
        return true;
      }
    }
    if (entryUnfinished(state)) return false;
    for (std::size_t i = 0; i < state.placed.size(); ++i) {
      auto& operation = history.operations()[i];
      if (state.placed[i] || !mayBeNext(state, operation)) continue;
      auto after = state;
      after.placed[i] = true;
      if (operation.outcome.kind != Told::unknown) --after.required;
      if (execute(after, operation) && search(after)) return true;
    }
    return false;
  }
};

}  // namespace

bool possible(const History& history) {
  return Search(history).run();
}

}  // namespace gavel::history::test
