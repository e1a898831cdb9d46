#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/history/bidders.h"
#include "tests/simulation/trace.h"

namespace gavel::simulation {

// The result of a run.
struct Report {
  std::uint64_t seed = 0;
  // The first thing that was wrong; empty: nothing.
  std::string failure;
  std::uint64_t hash = 0;  // Of the trace.
  double seconds = 0;      // Virtual.
  std::uint64_t events = 0;
  double longestGap = 0;  // Without a success while one link did not work, in virtual seconds.
  history::Bidders::Counts operations;
  std::map<std::string, std::uint64_t> counts;   // How often each fault struck.
  std::map<std::string, std::uint64_t> results;  // What followed: epochs, joins, ...
};

// Runs the whole system from one seed: forms a chain, lets bidders bid, strikes it with faults, and
// heals it.  Checks during and after all that.
Report runSeed(std::uint64_t seed, Trace& trace);

}  // namespace gavel::simulation
