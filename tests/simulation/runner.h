#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/scenario.h"

namespace gavel::simulation {

// The result of many runs.
struct Summary {
  std::uint64_t seeds = 0;
  std::vector<std::pair<std::uint64_t, std::string>> failures;  // By seed.
  double virtualSeconds = 0;
  double wallSeconds = 0;
  std::uint64_t events = 0;
  double longestGap = 0;  // See Report.
  history::Bidders::Counts operations;
  std::map<std::string, std::uint64_t> faults;
  std::map<std::string, std::uint64_t> results;

  void add(const Report& report);
  // For people, in several lines.
  std::string text() const;
};

struct Seeds {
  std::uint64_t first = 1;
  std::uint64_t count = 100;
  unsigned jobs = 1;  // Processes.
  // After so many failures no further seed is begun.
  std::uint64_t mostFailures = 20;
  // A run that takes more seconds of processor time has failed.
  unsigned timeout = 120;
  // The caller reports the failures.
  bool quiet = false;
};

// Runs the seeds in processes of their own, so a crash or a hang is a failure like any other.
// Prints each failure when it happens, with the command that shows it again.
Summary runSeeds(const Seeds& seeds);

}  // namespace gavel::simulation
