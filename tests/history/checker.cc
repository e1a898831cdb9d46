#include "tests/history/checker.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "tests/history/auction-check.h"
#include "tests/history/moments.h"

namespace gavel::history {
namespace {

struct Evidence {
  std::vector<const Operation*> operations;
  const FinalHistory* final = nullptr;
  bool twice = false;
};

// Checks all auctions together.  The log is one order of changes, in which stamps never go back.
// All answers agree with executing it in that order, which is that of real time.
class LogCheck {
public:
  // `auction`, `final` and `check`, which has found nothing, must outlive this object.
  void add(const std::string& auction, const FinalHistory& final, const AuctionCheck& check) {
    for (std::size_t i = 0; i < final.versions.size(); ++i) {
      changes.push_back({&auction, &final.versions[i], check.makers()[i]});
    }
    checks.push_back({&final, &check});
  }

  // Returns what is wrong, in words.
  std::optional<std::string> run() {
    std::stable_sort(changes.begin(), changes.end(),
                     [](auto& a, auto& b) { return a.version->index < b.version->index; });
    for (std::size_t i = 1; i < changes.size(); ++i) {
      if (auto problem = checkNeighbours(changes[i - 1], changes[i])) return problem;
    }
    Moments moments(changes.size());
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (changes[i].maker != nullptr) moments.made(i + 1, *changes[i].maker);
    }
    for (auto& [final, check]: checks) {
      for (auto& placement: check->placements()) place(moments, *final, placement);
    }
    if (auto conflict = moments.conflict()) return contradiction(*conflict);
    return std::nullopt;
  }

private:
  struct Change {
    const std::string* auction = nullptr;
    const Version* version = nullptr;
    const Operation* maker = nullptr;  // Null: an end that came by itself.
  };
  std::vector<Change> changes;  // By index.
  std::vector<std::pair<const FinalHistory*, const AuctionCheck*>> checks;

  static std::string quoted(const Change& change) {
    return "\n    " + *change.auction + ", " + describe(*change.version) + ", index " +
           std::to_string(change.version->index);
  }

  static std::optional<std::string> checkNeighbours(const Change& before, const Change& here) {
    // One entry ends all auctions whose deadline has passed.
    bool together = before.maker == nullptr && here.maker == nullptr &&
                    before.version->stamp == here.version->stamp;
    bool sameEntry = before.version->index == here.version->index;
    if (sameEntry && !together) {
      return "two changes share a log index:" + quoted(before) + quoted(here);
    }
    if (before.version->stamp > here.version->stamp) {
      return "stamps go back in the log:" + quoted(before) + quoted(here);
    }
    return std::nullopt;
  }

  // The number of changes with an index up to and including `index`.
  std::size_t upTo(std::uint64_t index) const {
    auto after =
        std::upper_bound(changes.begin(), changes.end(), index,
                         [](auto index, auto& change) { return index < change.version->index; });
    return static_cast<std::size_t>(after - changes.begin());
  }

  void place(Moments& moments, const FinalHistory& final,
             const AuctionCheck::Placement& placement) const {
    auto& [first, last, operation] = placement;
    if (operation->kind == Kind::result && operation->outcome.index != 0) {
      auto position = upTo(operation->outcome.index);
      return moments.seen(position, position, *operation);
    }
    auto begin = first == 0 ? 0 : upTo(final.versions[first - 1].index);
    auto end =
        last == final.versions.size() ? changes.size() : upTo(final.versions[last].index - 1);
    moments.seen(begin, end, *operation);
  }

  std::string contradiction(const Moments::Conflict& conflict) const {
    return "what happened to several auctions does not fit together in the order of the log; told "
           "or shown before:" +
           quoted(changes[conflict.earlier.change - 1]) + "\n    " +
           describe(*conflict.earlier.operation) +
           "\n  and afterwards still to come:" + quoted(changes[conflict.later.change - 1]) +
           "\n    " + describe(*conflict.later.operation);
  }
};

}  // namespace

std::string Verdict::text(std::size_t most) const {
  if (linearizable()) return "linearizable";
  std::string text;
  for (std::size_t i = 0; i < violations.size() && i < most; ++i) {
    auto& violation = violations[i];
    text += (violation.auction.empty() ? "log" : violation.auction) + ": " + violation.text + "\n";
  }
  if (violations.size() > most) {
    text += "and " + std::to_string(violations.size() - most) + " more\n";
  }
  return text;
}

Verdict check(const History& history) {
  Verdict verdict;
  std::map<std::string, Evidence> auctions;
  for (auto& operation: history.operations()) {
    auctions[operation.auction].operations.push_back(&operation);
    ++verdict.operations;
    if (operation.kind != Kind::result && operation.outcome.kind == Outcome::Kind::unknown) {
      ++verdict.unknown;
    }
  }
  for (auto& final: history.finals()) {
    auto& evidence = auctions[final.auction];
    evidence.twice = evidence.final != nullptr;
    evidence.final = &final;
  }
  verdict.auctions = auctions.size();

  std::vector<std::unique_ptr<AuctionCheck>> checks;
  LogCheck log;
  for (auto& [auction, evidence]: auctions) {
    if (evidence.twice) {
      verdict.violations.push_back({auction, "it has more than one final history"});
      continue;
    }
    auto& check = *checks.emplace_back(
        std::make_unique<AuctionCheck>(std::move(evidence.operations), evidence.final));
    if (auto problem = check.run()) {
      verdict.violations.push_back({auction, *problem});
      continue;
    }
    log.add(auction, *evidence.final, check);
    for (auto* maker: check.makers()) {
      if (maker != nullptr && maker->outcome.kind == Outcome::Kind::unknown) {
        ++verdict.unknownApplied;
      }
    }
  }
  // A fault of one auction says more than the faults of the log that follow from it.
  if (!verdict.linearizable()) return verdict;
  if (auto problem = log.run()) verdict.violations.push_back({"", *problem});
  return verdict;
}

}  // namespace gavel::history
