#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "docs/model/model.h"

namespace gavel::model {

// What an exploration has seen.
struct Findings {
  std::size_t states = 0;       // Different ones.
  std::size_t transitions = 0;  // Followed, to new states or known ones.
  // How often each kind of step was followed, by what it is called.
  std::map<std::string, std::size_t> steps;
  int depth = 0;                   // Steps to the farthest state, or to the violation.
  bool complete = false;           // Every state within the bounds was seen.
  std::string broken;              // The property that a step breaks; empty if none.
  std::vector<std::string> trace;  // The shortest way there, a line per step.
  double seconds = 0;
};

// Explores breadth first, so that the first violation has the shortest trace.  Stops at it, or when
// `limit` states have been seen.
//
// Of states that were seen only 64 bits are kept (hash compaction): with 100 million states, the
// chance that one was taken for another is below 0.03 %.  Takes 16 bytes per state and up to as
// much again for room, and sizeof(State), some 230 bytes, for each one at the edge.
Findings explore(const Model& model, std::size_t limit);

}  // namespace gavel::model
