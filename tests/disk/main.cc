// crash-enumerator: crashes a real store at each operation on its disk (enumerator.h).

#include <cstdio>

#include <CLI/CLI.hpp>

#include "tests/disk/enumerator.h"

namespace {

int run(int argc, char** argv) {
  gavel::disk::Options options;
  bool longer = false;
  CLI::App app("Crashes a store at each operation on its disk, and recovers from what is left");
  app.add_option("--seed", options.seed, "Of the first history");
  app.add_option("--operations", options.operations, "Of each history");
  app.add_option("--histories", options.histories, "How many, each with the next seed");
  app.add_option("--samples", options.samples, "Losses of power at each operation");
  app.add_option("--depth", options.depth, "Crashes one after the other");
  app.add_flag("--long", longer, "Twenty longer histories, and more of each operation");
  CLI11_PARSE(app, argc, argv);
  if (longer) {
    options.histories = 20;
    options.operations = 5000;
    options.samples = 5;
  }
  auto io = kj::setupAsyncIo();
  auto summary = gavel::disk::enumerate(io, options);
  for (auto& failure: summary.failures) {
    std::printf("ENUMERATOR failure (--seed %lu): %s\n", static_cast<unsigned long>(options.seed),
                failure.c_str());
  }
  std::printf("%s", summary.text().c_str());
  auto missing = gavel::disk::kindsMissing(summary);
  for (auto& kind: missing) std::printf("ENUMERATOR no crash point at any %s\n", kind.c_str());
  return summary.failures.empty() && missing.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv);
}
