#pragma once

#include <cstdint>
#include <vector>

#include "base/planted.h"

namespace gavel::plants {

// A mistake that the simulation has to find.
struct Plant {
  Bug bug;
  const char* name;
  const char* rule;     // The rule that it breaks.
  std::uint64_t bound;  // It has to be found within so many seeds.
  // A seed that has found it, which is tried first.  It still finds it as long as the code that
  // runs is the same.  Otherwise the search begins at 1.
  std::uint64_t known = 1;
};

// All mistakes, in the order of the rules.
const std::vector<Plant>& allPlants();

}  // namespace gavel::plants
