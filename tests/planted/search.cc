#include "tests/planted/search.h"

#include <algorithm>
#include <initializer_list>

#include "tests/simulation/runner.h"

namespace gavel::plants {
namespace {

// A run proves nothing if it did too little, or if no check has ended it.
bool proves(const std::string& failure) {
  for (auto* vain: {"too little succeeded", "the simulation itself failed",
                    "the process that ran it", "it took too long"}) {
    if (failure.starts_with(vain)) return false;
  }
  return true;
}

}  // namespace

Finding search(Bug bug, std::uint64_t first, std::uint64_t bound, unsigned jobs) {
  plantedBug = bug;
  Finding finding;
  while (!finding.found && finding.seeds < bound) {
    simulation::Seeds seeds;
    seeds.first = first + finding.seeds;
    seeds.count = bound - finding.seeds;
    seeds.jobs = jobs;
    seeds.mostFailures = 1;
    seeds.quiet = true;
    auto summary = simulation::runSeeds(seeds);
    finding.virtualSeconds += summary.virtualSeconds;
    finding.events += summary.events;
    finding.wallSeconds += summary.wallSeconds;
    finding.seeds = bound;
    finding.seed = 0;
    if (summary.failures.empty()) break;
    // Seeds are begun in order, so all before the first that failed have passed.
    auto& [seed, failure] = *std::min_element(summary.failures.begin(), summary.failures.end());
    finding.seeds = seed - first + 1;
    finding.seed = seed;
    finding.found = proves(failure);
    finding.check = failure;
  }
  return finding;
}

std::size_t countFinds(Bug bug, std::uint64_t first, std::uint64_t count, unsigned jobs) {
  plantedBug = bug;
  simulation::Seeds seeds;
  seeds.first = first;
  seeds.count = count;
  seeds.jobs = jobs;
  seeds.mostFailures = count;
  seeds.quiet = true;
  auto summary = simulation::runSeeds(seeds);
  return static_cast<std::size_t>(
      std::count_if(summary.failures.begin(), summary.failures.end(),
                    [](auto& failure) { return proves(failure.second); }));
}

}  // namespace gavel::plants
