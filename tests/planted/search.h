#pragma once

#include <cstdint>
#include <string>

#include "base/planted.h"

namespace gavel::plants {

// What came of the search for one mistake.
struct Finding {
  bool found = false;
  std::uint64_t seeds = 0;  // Up to the one that found it.
  std::uint64_t seed = 0;   // That one.
  double virtualSeconds = 0;
  std::uint64_t events = 0;
  double wallSeconds = 0;
  std::string check;  // What the check said.
};

// Runs seeds from `first` on, `jobs` at a time, with the mistake planted, until a check fails or
// `bound` seeds have passed.  Leaves plantedBug as it has set it.
Finding search(Bug bug, std::uint64_t first, std::uint64_t bound, unsigned jobs);

// How many of `count` seeds find it.
std::size_t countFinds(Bug bug, std::uint64_t first, std::uint64_t count, unsigned jobs);

}  // namespace gavel::plants
