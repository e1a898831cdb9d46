// planted-crashes: proves that the enumerator of crashes (tests/disk) finds mistakes of a store, by
// planting each in turn (base/planted.h).

#include <cstdio>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "base/planted.h"
#include "tests/disk/enumerator.h"

namespace gavel::plants {
namespace {

struct Crash {
  Bug bug;
  const char* name;
  const char* rule;
};

constexpr Crash ALL[] = {
    {Bug::countReadAsDurable, "count-read-as-durable", "R2"},
    {Bug::rewriteNothingAtStart, "rewrite-nothing-at-start", "R2"},
    {Bug::markBeforeLog, "mark-before-log", "R2"},
    {Bug::forgetDirectory, "forget-directory", "R2"},
    {Bug::takeStaleFrames, "take-stale-frames", "R2"},
};

int search(const Crash& crash, disk::Options options) {
  plantedBug = crash.bug;
  options.firstFailure = true;
  auto io = kj::setupAsyncIo();
  auto summary = disk::enumerate(io, options);
  bool found = !summary.failures.empty();
  std::printf("PLANTED %-25s %-4s crashes at %lu operations, %lu states: %s\n", crash.name,
              crash.rule, static_cast<unsigned long>(summary.points),
              static_cast<unsigned long>(summary.states),
              found ? summary.failures.front().c_str() : "NOT FOUND");
  return found ? 0 : 1;
}

// Runs each in a process of its own, since a store that finds itself broken ends its process.
bool isFound(const Crash& crash, const disk::Options& options) {
  std::fflush(stdout);
  auto child = fork();
  if (child == 0) {
    int status = search(crash, options);
    std::fflush(stdout);
    _exit(status);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return false;
  if (WEXITSTATUS(status) == disk::ENDED_ITSELF) {
    std::printf("PLANTED %-25s %-4s a store ended its process\n", crash.name, crash.rule);
    return true;
  }
  return WEXITSTATUS(status) == 0;
}

int run(int argc, char** argv) {
  disk::Options options;
  options.histories = 5;
  options.operations = 3000;
  std::string only;
  CLI::App app("Plants mistakes in a store, one at a time, and crashes it until each is found");
  app.add_option("--seed", options.seed, "Of the first history");
  app.add_option("--operations", options.operations, "Of each history, at most");
  app.add_option("--only", only, "The name of a mistake");
  CLI11_PARSE(app, argc, argv);
  std::size_t found = 0, wanted = 0;
  for (auto& crash: ALL) {
    if (!only.empty() && only != crash.name) continue;
    ++wanted;
    if (isFound(crash, options)) ++found;
  }
  std::printf("PLANTED %zu of %zu mistakes of a store found\n", found, wanted);
  return wanted > 0 && found == wanted ? 0 : 1;
}

}  // namespace
}  // namespace gavel::plants

int main(int argc, char** argv) {
  return gavel::plants::run(argc, argv);
}
