#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/bench/load.h"
#include "client/cli/context.h"

namespace gavel::client::cli {

// One process to be killed.
struct Kill {
  std::string role;                   // head, middle, tail or master
  kj::Duration at = 0 * kj::SECONDS;  // Since counting began.
  // The process that was killed; empty until then.
  std::string process;
  std::int64_t killedAt =
      -1;  // In ns since counting began; -1: not done, as there was no such process.
};

// The result of reading the histories.
struct Verdict {
  std::uint64_t verified = 0;  // Accepted bids that are there, as they were reported.
  std::uint64_t appeared = 0;  // Bids of unknown outcome that are there.
  std::vector<std::string> problems;
};

struct BenchResult {
  const LoadPlan& plan;
  Seen seen;
  kj::Duration counted = 0 * kj::SECONDS;
  std::vector<Kill> kills;
  std::optional<std::int64_t> cpuTime;  // ns, of the processes in BenchPlan::pids.
  std::optional<Verdict> verdict;       // Null if the histories were not read.
};

// Prints the result, as a table or as JSON.  Reorders the samples.
void printResult(Context& context, BenchResult& result);

}  // namespace gavel::client::cli
