#pragma once

#include <string>
#include <vector>

namespace gavel {

// What came of a process that opened a data directory.
struct ProbeResult {
  int status = 0;      // As of waitpid().
  std::string output;  // What it said, on either stream.
};

// Runs the test `name` of this program in a process of its own, as a failure may end it: with
// `directory` in the environment as GAVEL_PROBE.  Kills it after it has said `killAt` lines that
// begin with "durable ", unless that is 0.
ProbeResult probe(const std::string& name, const std::string& directory, unsigned killAt = 0);

// Where the process that runs such a test is to look; empty if it runs with all others.
std::string probeDirectory();

// Of the template that is damaged.
constexpr unsigned PROBE_BATCHES = 400;
constexpr unsigned PROBE_BATCH_SIZE = 20;

}  // namespace gavel
