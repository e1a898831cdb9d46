// planted-power: proves that power-cuts (tests/cluster) finds a store that takes what it reads
// after a restart for durable, on a real file system.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/planted.h"
#include "tests/cluster/disk.h"
#include "tests/cluster/killed-store.h"

namespace gavel {
namespace {

constexpr std::uint64_t ROUNDS = 200;

int search() {
  auto io = kj::setupAsyncIo();
  if (auto why = cluster::whyNoMounts(io)) {
    std::printf("PLANTED not tested: file systems cannot be mounted here: %s\n", why->c_str());
    return 0;
  }
  auto summary = cluster::cutPowerOf(
      io, {{std::filesystem::read_symlink("/proc/self/exe").string(), "live"}, ROUNDS, 1});
  bool found = !summary.failure.empty();
  std::printf("PLANTED %-25s %-4s on a real disk, %lu losses of power: %s\n",
              "count-read-as-durable", "R2", static_cast<unsigned long>(summary.cuts),
              found ? summary.failure.c_str() : "NOT FOUND");
  return found ? 0 : 1;
}

}  // namespace
}  // namespace gavel

int main(int argc, char** argv) {
  gavel::plantedBug = gavel::Bug::countReadAsDurable;
  if (argc == 5 && std::strcmp(argv[1], "live") == 0) {
    return gavel::cluster::liveAsStore(
        {argv[2], std::strtoull(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10)});
  }
  return gavel::search();
}
