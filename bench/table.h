#pragma once

#include <string>
#include <vector>

#include "bench/load.h"

namespace gavel::bench {

// The measurement of one row in one round.
struct Round {
  Measured measured;
  // CPU time of each server process, in the order of the chain.
  std::vector<kj::Duration> serverCpu;
  // The share of all CPU time that went to other processes.
  double elsewhere = 0;
};

// A subject that is measured once in every round.
struct Row {
  std::string name;
  std::vector<Round> rounds;
};

// Returns the rows as a Markdown table of medians.  All rows are compared with the first, round by
// round.
std::string table(const std::vector<Row>& rows);

}  // namespace gavel::bench
