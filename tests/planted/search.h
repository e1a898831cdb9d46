#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/planted/table.h"

namespace gavel::plants {

// What came of the search for one mistake.
struct Finding {
  bool found = false;
  std::uint64_t seeds = 0;  // Run, the one that found it included.
  double virtualSeconds = 0;
  double seconds = 0;  // Of this machine.
  std::string check;   // What the check said; or how the search broke down.
};

// Runs seeds from `first` on, one after the other, with the mistake planted, until a check fails or
// `bound` seeds have passed.  Sets plantedBug: once in the life of a process.
Finding search(Bug bug, std::uint64_t first, std::uint64_t bound);

// Does all of `searches` in processes of their own, `jobs` at a time, as the mistake is planted for
// a whole process, and may make it crash, which finds nothing.  Calls `done` with the place of each
// as it ends.
void searchAll(const std::vector<std::function<Finding()>>& searches, unsigned jobs,
               const std::function<void(std::size_t, const Finding&)>& done);

}  // namespace gavel::plants
