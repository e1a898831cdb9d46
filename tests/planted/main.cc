// planted-bugs: proves that the simulation finds mistakes, by planting each in turn
// (base/planted.h).

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tests/planted/search.h"
#include "tests/planted/table.h"
#include "tests/simulation/runner.h"

namespace gavel::plants {
namespace {

constexpr int FAILED = 1;
constexpr int USAGE = 2;

struct Options {
  unsigned jobs = 2;
  std::uint64_t first = 0;
  std::uint64_t seeds = 0;
  std::vector<std::string> only;
  bool none = false;
  bool all = false;
  bool trace = false;
};

// Of a verdict on a history, the first line says which kind of fault it is, and the second one
// which fault.
std::string firstLines(std::string text) {
  auto end = text.find('\n');
  if (end == std::string::npos) return text;
  text[end] = ' ';
  return text.substr(0, text.find('\n'));
}

// Tries the seed that is known to find the mistake, and then all seeds.
Finding find(const Plant& plant, const Options& options) {
  auto bound = options.seeds != 0 ? options.seeds : plant.bound;
  if (options.first != 0) return search(plant.bug, options.first, bound, options.jobs);
  auto known = search(plant.bug, plant.known, 1, 1);
  return known.found ? known : search(plant.bug, 1, bound, options.jobs);
}

int findAll(const std::vector<Plant>& wanted, const Options& options) {
  std::printf("PLANTED %-25s %-4s %5s %5s %11s %9s %8s  %s\n", "mistake", "rule", "seeds", "found",
              "simulated", "events", "took", "what the check said");
  std::size_t found = 0;
  for (auto& plant: wanted) {
    auto finding = find(plant, options);
    std::printf("PLANTED %-25s %-4s %5lu %5lu %9.1f s %9lu %6.1f s  %s%s\n", plant.name, plant.rule,
                static_cast<unsigned long>(finding.seeds), static_cast<unsigned long>(finding.seed),
                finding.virtualSeconds, static_cast<unsigned long>(finding.events),
                finding.wallSeconds, finding.found ? "" : "NOT FOUND; ",
                firstLines(finding.check).c_str());
    std::fflush(stdout);
    if (finding.found) ++found;
  }
  std::printf("PLANTED %zu of %zu mistakes found\n", found, wanted.size());
  return found == wanted.size() ? 0 : FAILED;
}

// Counts how many of the seeds find each mistake, which shows how well the simulation looks there.
int countAll(const std::vector<Plant>& wanted, const Options& options) {
  for (auto& plant: wanted) {
    auto found = countFinds(plant.bug, std::max<std::uint64_t>(1, options.first), options.seeds,
                            options.jobs);
    std::printf("%-25s %-4s found by %zu of %lu seeds\n", plant.name, plant.rule, found,
                static_cast<unsigned long>(options.seeds));
    std::fflush(stdout);
  }
  return 0;
}

// Shows that the same program finds nothing if nothing is planted.
int findNone(const Options& options) {
  simulation::Seeds seeds;
  seeds.first = std::max<std::uint64_t>(1, options.first);
  seeds.count = options.seeds;
  seeds.jobs = options.jobs;
  auto summary = simulation::runSeeds(seeds);
  std::printf("%s%lu seeds with nothing planted: %zu failures\n", summary.text().c_str(),
              static_cast<unsigned long>(summary.seeds), summary.failures.size());
  return summary.failures.empty() ? 0 : FAILED;
}

int showTrace(Bug bug, const Options& options) {
  plantedBug = bug;
  simulation::Trace trace(simulation::Trace::Detail::events);
  trace.writeTo(stdout);
  auto report = simulation::runSeed(std::max<std::uint64_t>(1, options.first), trace);
  std::printf("%s\n", report.failure.empty() ? "nothing found" : report.failure.c_str());
  return report.failure.empty() ? FAILED : 0;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Plants mistakes, one at a time, and runs the simulation until it finds each");
  app.add_option("--jobs", options.jobs, "Seeds at a time")->check(CLI::Range(1u, 64u));
  app.add_option("--first", options.first,
                 "The first seed; 0: the one known to find it, then from 1 on");
  app.add_option("--seeds", options.seeds, "How many at most; 0: as many as each one's bound says");
  app.add_option("--only", options.only, "Names of mistakes");
  auto* none = app.add_flag("--none", options.none, "Plant nothing, and expect to find nothing");
  auto* all = app.add_flag("--all", options.all, "Run all seeds, and count those that find it");
  none->needs("--seeds")->excludes("--only");
  all->needs("--seeds");
  app.add_flag("--trace", options.trace, "Show all that happens with the first seed");
  CLI11_PARSE(app, argc, argv);

  std::vector<Plant> wanted;
  for (auto& plant: allPlants()) {
    auto& only = options.only;
    bool named = std::find(only.begin(), only.end(), plant.name) != only.end();
    if (only.empty() || named) wanted.push_back(plant);
  }
  if (wanted.empty() || (!options.only.empty() && wanted.size() != options.only.size())) {
    std::fprintf(stderr, "there is no such mistake: tests/planted/table.cc has their names\n");
    return USAGE;
  }
  if (options.trace) return showTrace(options.none ? Bug::none : wanted.front().bug, options);
  if (options.all) return countAll(wanted, options);
  return options.none ? findNone(options) : findAll(wanted, options);
}

}  // namespace
}  // namespace gavel::plants

int main(int argc, char** argv) {
  return gavel::plants::run(argc, argv);
}
