#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/bench/load.h"
#include "client/cli/context.h"

namespace gavel::client::cli {

// What one process was killed for.
struct Kill {
  std::string role;                   // head, middle, tail or master
  kj::Duration at = 0 * kj::SECONDS;  // After counting has begun.
  // Once it was done.
  std::string process;
  std::int64_t killedAt =
      -1;  // ns since counting began; -1: not done, as there was no such process.
};

// What was found when the histories were read.
struct Verdict {
  std::uint64_t verified = 0;  // Accepted bids that are there, as they were told.
  std::uint64_t appeared = 0;  // Bids of unknown outcome that are there.
  std::vector<std::string> problems;
};

struct BenchResult {
  const LoadPlan& plan;
  Seen seen;
  kj::Duration counted = 0 * kj::SECONDS;
  std::vector<Kill> kills;
  std::optional<std::int64_t> cpuTime;  // ns, of the processes that were asked for.
  std::optional<Verdict> verdict;       // Null if the histories were not read.
};

// Prints it, as a table or as JSON.  Reorders the samples.
void printResult(Context& context, BenchResult& result);

}  // namespace gavel::client::cli
