#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/history/history.h"
#include "tests/history/service.h"

namespace gavel::history::test {

// Makes random histories that are right: it executes operations one after the other on the Service,
// and spreads their begins and ends around that.  By changing these it makes random ones that may
// be wrong.
class Generator {
public:
  struct Options {
    std::size_t operations = 8;
    std::size_t auctions = 1;
    std::size_t clients = 3;
    // The greatest distance, in steps, of begin and end from the execution.
    std::uint64_t spread = 3;
    double unknown = 0.25;
    // The greatest distance between the stamps of two operations.
    std::uint64_t stampStep = 40;
    std::int64_t duration = 400;
    // If set, nobody ends auctions early, and increments are absolute.
    bool lasting = false;
  };

  explicit Generator(std::uint64_t seed): random(seed) {}

  History make(const Options& options);
  // Returns `history` with a random change.
  History mutate(const History& history);

  std::uint64_t below(std::uint64_t bound) { return random() % bound; }
  bool chance(double probability) { return std::bernoulli_distribution(probability)(random); }

private:
  std::mt19937_64 random;

  Operation drawOperation(const Options& options, const Service& service,
                          const std::string& auction);
  Terms drawTerms(const Options& options);
  std::string drawName();
  void mutateOutcome(Operation& operation);
  void mutateRequest(Operation& operation);
  void mutateTime(Operation& operation);
  void mutateFinal(FinalHistory& final);
  template <typename T>
  void nudge(T& number) {
    number += chance(0.5) ? 1 : -1;
  }
};

// Returns `outcome` without the fields that have no meaning for its kind.
Outcome tidy(const Outcome& outcome);

}  // namespace gavel::history::test
