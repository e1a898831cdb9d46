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
  // One that has found it, which is tried first: as long as nothing that runs has changed it still
  // does, and else the search begins at 1.
  std::uint64_t known = 1;
};

// All that there are, in the order of the rules.
const std::vector<Plant>& allPlants();

}  // namespace gavel::plants
