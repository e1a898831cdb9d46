// power-cuts: a real store on a real file system, which is killed at any of its operations, started
// again, and then loses its power (killed-store.h).

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tests/cluster/disk.h"
#include "tests/cluster/killed-store.h"

namespace {

std::uint64_t number(const char* text) {
  return std::strtoull(text, nullptr, 10);
}

int cutPower(std::uint64_t rounds, std::uint64_t seed) {
  auto self = std::filesystem::read_symlink("/proc/self/exe").string();
  auto io = kj::setupAsyncIo();
  if (auto why = gavel::cluster::whyNoMounts(io)) {
    std::printf("POWER not tested: file systems cannot be mounted here: %s\n", why->c_str());
    return 0;
  }
  auto summary = gavel::cluster::cutPowerOf(io, {{self, "live"}, rounds, seed});
  std::printf(
      "POWER a store was killed %lu times and lost its power %lu times after that: %s; %lu "
      "entries told durable (--seed %lu)\n",
      static_cast<unsigned long>(summary.kills), static_cast<unsigned long>(summary.cuts),
      summary.failure.empty() ? "0 lost" : summary.failure.c_str(),
      static_cast<unsigned long>(summary.told), static_cast<unsigned long>(seed));
  return summary.failure.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5 && std::strcmp(argv[1], "live") == 0) {
    return gavel::cluster::liveAsStore({argv[2], number(argv[3]), number(argv[4])});
  }
  if (argc > 3) {
    std::fprintf(stderr, "usage: power-cuts [ROUNDS [SEED]]\n");
    return 2;
  }
  return cutPower(argc > 1 ? number(argv[1]) : 25, argc > 2 ? number(argv[2]) : 1);
}
