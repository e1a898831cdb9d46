#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/history/history.h"
#include "tests/history/moments.h"
#include "tests/history/rules.h"

namespace gavel::history {

// The part of the checker that is about one auction.  Used once.
class AuctionCheck {
public:
  // `operations` are all that name this auction.  `final` is null if its final history was not
  // read.
  AuctionCheck(std::vector<const Operation*> operations, const FinalHistory* final);

  // Returns what is wrong, in words; nothing if all is well.
  std::optional<std::string> run();

  // An operation that changed nothing.  Its answer shows a state at or after version `first` and
  // before version `last` + 1.
  struct Placement {
    std::size_t first = 0;
    std::size_t last = 0;
    const Operation* operation = nullptr;
  };

  // After a run() that found nothing: the operation that made each version, from version 1 on.
  // Null for an end that came by itself.
  const std::vector<const Operation*>& makers() const { return makers_; }
  // Likewise: the places of the other operations, if they matter.
  const std::vector<Placement>& placements() const { return placements_; }

private:
  // Thrown as soon as something wrong is found, and caught by run().
  struct Broken {
    std::string text;
  };

  std::vector<const Operation*> operations;
  const FinalHistory* final;
  std::vector<const Operation*> makers_;
  std::vector<Placement> placements_;
  std::vector<Standing> standings;  // By version, from 0: before it was created.
  std::unordered_map<std::int64_t, std::size_t> versionOfAmount;
  const Operation* creator = nullptr;

  std::size_t count() const { return final->versions.size(); }
  const Version& version(std::size_t number) const { return final->versions[number - 1]; }

  void checkTimes() const;
  void checkNumbers() const;
  void matchSuccesses();
  void matchSuccess(const Operation& operation);
  bool fits(const Operation& operation, const Version& version) const;
  // Whether it may have made `version` without an answer.
  bool mayHaveMade(const Operation& operation, const Version& version) const;
  // Unknown creates that may have made version 1: the first with each terms.
  std::vector<const Operation*> possibleCreators() const;

  // Checks the rest, given the creator.
  void checkFrom(const Operation* by);
  void followRules();
  Standing standingAfter(std::size_t number) const;
  // Finds operations with unknown outcomes for the versions that appear in no answer.
  void matchUnknown();
  [[noreturn]] void nobodyAsked(const Version& version) const;
  void place();
  void seen(std::size_t first, std::size_t last, const Operation& operation);
  void placeRefusal(const Operation& operation);
  void placeAnswer(const Operation& operation);
  void requireNothingButClosing(const Operation& operation) const;
  void findMoments() const;
  bool mayEnd(const Operation& operation) const;
  [[noreturn]] void contradict(const Moments::Conflict& conflict) const;
};

}  // namespace gavel::history
