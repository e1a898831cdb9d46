#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "docs/model/model.h"

namespace gavel::model {

// The results of an exploration.
struct Findings {
  std::size_t states = 0;       // Different states.
  std::size_t transitions = 0;  // Transitions followed, to new states or known ones.
  // How often each kind of step was followed, by its name.
  std::map<std::string, std::size_t> steps;
  int depth = 0;                   // Steps to the farthest state, or to the violation.
  bool complete = false;           // Whether every state within the bounds was reached.
  std::string broken;              // The property that a step breaks; empty if none.
  std::vector<std::string> trace;  // The shortest way to it, a line for each step.
  double seconds = 0;
};

// Explores breadth first, so the first violation has the shortest trace.  Stops at the first
// violation, or after `limit` states.
//
// Only 64 bits of each known state are kept (hash compaction).  With 100 million states, the
// probability that two were confused is below 0.03 %.  Memory: 16 bytes for each known state and up
// to as much again for free slots, and sizeof(State), some 230 bytes, for each state at the edge.
Findings explore(const Model& model, std::size_t limit);

}  // namespace gavel::model
