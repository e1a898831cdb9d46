#pragma once

#include <string>
#include <vector>

namespace gavel {

// The end of a process that opened a data directory.
struct ProbeResult {
  int status = 0;      // From waitpid().
  std::string output;  // Its output on both streams.
};

// Runs the test `name` of this program in a process of its own, since a failure may end it.
// `directory` is in its environment as GAVEL_PROBE.  Kills it after `killAt` lines of output that
// begin with "durable ", unless that is 0.
ProbeResult probe(const std::string& name, const std::string& directory, unsigned killAt = 0);

// The directory of such a test; empty if it runs with all others.
std::string probeDirectory();

// In the template that is damaged.
constexpr unsigned PROBE_BATCHES = 400;
constexpr unsigned PROBE_BATCH_SIZE = 20;

}  // namespace gavel
