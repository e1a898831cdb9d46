#pragma once

#include <string>
#include <vector>

#include "bench/load.h"

namespace gavel::bench {

// What one round of one row came to.
struct Round {
  Measured measured;
  // CPU time of each server process, in the order of the chain.
  std::vector<kj::Duration> serverCpu;
  // Of all the CPU time that there was, the share that went to anything else.
  double elsewhere = 0;
};

// A thing that is measured again and again, in turn with the others.
struct Row {
  std::string name;
  std::vector<Round> rounds;
};

// The rows as a Markdown table of medians; the first row is what the others are compared with,
// round by round.
std::string table(const std::vector<Row>& rows);

}  // namespace gavel::bench
