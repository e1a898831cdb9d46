#pragma once

#include <cstdint>
#include <vector>

#include "base/planted.h"

namespace gavel::plants {

// A mistake that the simulation has to find.
struct Plant {
  Bug bug;
  const char* name;
  const char* rule;     // That it breaks.
  std::uint64_t bound;  // Of seeds within which it has to be found.
};

// All that there are, in the order of the rules.
const std::vector<Plant>& allPlants();

}  // namespace gavel::plants
