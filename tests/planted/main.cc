// planted-bugs: proves that the simulation finds mistakes, by planting each in turn
// (base/planted.h).

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tests/planted/search.h"
#include "tests/simulation/scenario.h"

namespace gavel::plants {
namespace {

constexpr int NOT_FOUND = 1;

struct Options {
  unsigned jobs = 2;
  std::uint64_t first = 1;
  std::uint64_t seeds = 0;
  std::vector<std::string> only;
  bool none = false;
  bool trace = false;
};

std::string firstLine(const std::string& text) {
  auto end = text.find('\n');
  if (end == std::string::npos) return text;
  auto second = text.find('\n', end + 1);
  return text.substr(0, end) + " " + text.substr(end + 1, second - end - 1);
}

void print(const Plant& plant, const Finding& finding) {
  std::printf(
      "%-26s %-4s %5lu %9.1f s %7.1f s  %s\n", plant.name, plant.rule,
      static_cast<unsigned long>(finding.seeds), finding.virtualSeconds, finding.seconds,
      finding.found ? firstLine(finding.check).c_str() : ("NOT FOUND " + finding.check).c_str());
  std::fflush(stdout);
}

int findAll(const std::vector<Plant>& wanted, const Options& options) {
  std::printf("%-26s %-4s %5s %11s %9s  %s\n", "planted", "rule", "seeds", "simulated", "took",
              "what the check said");
  std::vector<std::function<Finding()>> searches;
  for (auto& plant: wanted) {
    auto bound = options.seeds != 0 ? options.seeds : plant.bound;
    searches.push_back(
        [&plant, &options, bound]() { return search(plant.bug, options.first, bound); });
  }
  std::size_t found = 0;
  searchAll(searches, options.jobs, [&](std::size_t place, const Finding& finding) {
    print(wanted[place], finding);
    if (finding.found) ++found;
  });
  std::printf("%zu of %zu found\n", found, wanted.size());
  return found == wanted.size() ? 0 : NOT_FOUND;
}

// Without a mistake, the same program finds none.
int findNone(const Options& options) {
  std::vector<std::function<Finding()>> searches;
  for (unsigned i = 0; i < options.jobs; ++i) {
    auto from = options.seeds * i / options.jobs;
    auto count = options.seeds * (i + 1) / options.jobs - from;
    searches.push_back(
        [&options, from, count]() { return search(Bug::none, options.first + from, count); });
  }
  std::uint64_t seeds = 0;
  std::size_t clean = 0;
  searchAll(searches, options.jobs, [&](std::size_t place, const Finding& finding) {
    seeds += finding.seeds;
    if (!finding.found && finding.check.empty()) {
      ++clean;
      return;
    }
    auto from = options.first + options.seeds * place / options.jobs;
    std::printf("seed %lu, with nothing planted: %s\n",
                static_cast<unsigned long>(from + finding.seeds - 1), finding.check.c_str());
  });
  std::printf("%lu seeds with nothing planted: %s\n", static_cast<unsigned long>(seeds),
              clean == searches.size() ? "nothing found" : "FAILED");
  return clean == searches.size() ? 0 : NOT_FOUND;
}

int showTrace(Bug bug, const Options& options) {
  plantedBug = bug;
  simulation::Trace trace(simulation::Trace::Detail::events);
  trace.writeTo(stdout);
  auto report = simulation::runSeed(options.first, trace);
  std::printf("%s\n", report.failure.empty() ? "nothing found" : report.failure.c_str());
  return report.failure.empty() ? NOT_FOUND : 0;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Plants mistakes, one at a time, and runs the simulation until it finds each");
  app.add_option("--jobs", options.jobs, "Searches at a time")->check(CLI::Range(1u, 64u));
  app.add_option("--first", options.first, "The first seed");
  app.add_option("--seeds", options.seeds, "How many at most; 0: as many as each one's bound says");
  app.add_option("--only", options.only, "Names of mistakes");
  app.add_flag("--none", options.none, "Plant nothing, and expect that nothing is found");
  app.add_flag("--trace", options.trace, "Show all that happens with the first seed");
  CLI11_PARSE(app, argc, argv);

  std::vector<Plant> wanted;
  for (auto& plant: allPlants()) {
    bool named =
        std::find(options.only.begin(), options.only.end(), plant.name) != options.only.end();
    if (options.only.empty() || named) wanted.push_back(plant);
  }
  if (wanted.empty() || (!options.only.empty() && wanted.size() != options.only.size())) {
    std::fprintf(stderr, "there is no such mistake: see base/planted.h\n");
    return 2;
  }
  if (options.trace) return showTrace(options.none ? Bug::none : wanted.front().bug, options);
  return options.none ? findNone(options) : findAll(wanted, options);
}

}  // namespace
}  // namespace gavel::plants

int main(int argc, char** argv) {
  return gavel::plants::run(argc, argv);
}
