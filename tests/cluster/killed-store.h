#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kj/async-io.h>

namespace gavel::cluster {

// One life of a real store, as the process that it is alone in: it tells its log's end on standard
// output as soon as it has opened its directory, which says that this is durable (R2); then it
// appends, and tells what has become durable.
struct StoreLife {
  std::string directory;
  std::uint64_t batches = 0;
  // It kills itself with SIGKILL right before so many writes and syncs of files, from 1 on; 0:
  // never.
  std::uint64_t killedAt = 0;
};
int liveAsStore(const StoreLife& life);

struct PowerCuts {
  // Runs liveAsStore(); its arguments are given after these: directory, batches, killedAt.
  std::vector<std::string> program;
  std::uint64_t rounds = 20;
  std::uint64_t seed = 1;
};

struct PowerCutsSummary {
  std::uint64_t kills = 0;
  std::uint64_t cuts = 0;
  std::uint64_t told = 0;  // The highest index that was told durable.
  std::string failure;     // Empty if there is none.
};

// A store on a disk of its own, with a file system of this machine: it is killed at any of its
// operations, started again, killed again a little later or not, and then the disk loses its power.
// What any of its lives told durable has to be there after that.  Ends with the first failure.
//
// Needs to mount file systems: see whyNoMounts().
PowerCutsSummary cutPowerOf(kj::AsyncIoContext& io, const PowerCuts& cuts);

}  // namespace gavel::cluster
