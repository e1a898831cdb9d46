#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kj/async-io.h>

namespace gavel::cluster {

// One life of a real store, alone in its process.  As soon as it has opened its directory it prints
// its log's end on standard output, which says that this is durable (R2).  Then it appends, and
// prints what has become durable.
struct StoreLife {
  std::string directory;
  std::uint64_t batches = 0;
  // It kills itself with SIGKILL right before this write or sync of a file, counted from 1; 0:
  // never.
  std::uint64_t killedAt = 0;
};
int liveAsStore(const StoreLife& life);

struct PowerCuts {
  // Runs liveAsStore().  Its arguments follow these: directory, batches, killedAt.
  std::vector<std::string> program;
  std::uint64_t rounds = 20;
  std::uint64_t seed = 1;
};

struct PowerCutsSummary {
  std::uint64_t kills = 0;
  std::uint64_t cuts = 0;
  std::uint64_t told = 0;  // The highest index that was reported durable.
  std::string failure;     // Empty if there is none.
};

// Tries a store on a disk of its own, with a file system of this machine.  It is killed at any of
// its operations, started again, perhaps killed again a little later, and then the disk loses its
// power.  Everything that any of its lives reported durable has to be there after that.  Ends with
// the first failure.
//
// Needs to mount file systems: see whyNoMounts().
PowerCutsSummary cutPowerOf(kj::AsyncIoContext& io, const PowerCuts& cuts);

}  // namespace gavel::cluster
