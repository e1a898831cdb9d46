#pragma once

#include <cstdint>
#include <string>

#include "base/planted.h"

namespace gavel::plants {

// The result of the search for one mistake.
struct Finding {
  bool found = false;
  std::uint64_t seeds = 0;  // The number of seeds up to and including the one that found it.
  std::uint64_t seed = 0;   // The seed that found it.
  double virtualSeconds = 0;
  std::uint64_t events = 0;
  double wallSeconds = 0;
  std::string check;  // The message of the check.
};

// Runs seeds from `first` on, `jobs` at a time, with the mistake planted, until a check fails or
// `bound` seeds have passed.  plantedBug stays set.
Finding search(Bug bug, std::uint64_t first, std::uint64_t bound, unsigned jobs);

// Counts how many of `count` seeds find it.
std::size_t countFinds(Bug bug, std::uint64_t first, std::uint64_t count, unsigned jobs);

}  // namespace gavel::plants
