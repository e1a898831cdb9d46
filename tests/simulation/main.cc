// Runs the simulation: many seeds, or one with a trace.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>

#include "tests/simulation/runner.h"

namespace gavel::simulation {
namespace {

int runOne(std::uint64_t seed, const std::string& path, bool wire) {
  auto detail =
      path.empty() ? Trace::Detail::none : (wire ? Trace::Detail::wire : Trace::Detail::events);
  Trace trace(detail);
  std::FILE* file = nullptr;
  if (!path.empty()) {
    file = path == "-" ? stdout : std::fopen(path.c_str(), "w");
    if (file == nullptr) {
      std::perror(path.c_str());
      return EXIT_FAILURE;
    }
    trace.writeTo(file);
  }
  auto report = runSeed(seed, trace);
  if (file != nullptr) std::fflush(file);
  Summary summary;
  summary.add(report);
  std::printf("%sseed %llu, trace %016llx: %s\n", summary.text().c_str(),
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(report.hash),
              report.failure.empty() ? "passed" : ("FAILED: " + report.failure).c_str());
  return report.failure.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace gavel::simulation

int main(int argc, char** argv) {
  using namespace gavel::simulation;
  CLI::App app("Runs the whole system on virtual time, with faults drawn from seeds.");
  Seeds seeds;
  std::uint64_t one = 0;
  std::string trace;
  bool wire = false;
  app.add_option("--seeds", seeds.count, "How many")->capture_default_str();
  app.add_option("--first", seeds.first, "The first of them")->capture_default_str();
  app.add_option("--jobs", seeds.jobs, "Processes at a time")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--most-failures", seeds.mostFailures, "Begin no other seed after so many")
      ->capture_default_str();
  app.add_option("--timeout", seeds.timeout, "Seconds of processor time for one seed")
      ->capture_default_str();
  auto* single = app.add_option("--seed", one, "Run this one only");
  app.add_option("--trace", trace, "Write what happens there; -: to standard output")
      ->needs(single);
  app.add_flag("--wire", wire, "Trace every delivery as well")->needs("--trace");
  CLI11_PARSE(app, argc, argv);
  if (single->count() > 0) return runOne(one, trace, wire);
  auto summary = runSeeds(seeds);
  std::printf("%s", summary.text().c_str());
  return summary.failures.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}
