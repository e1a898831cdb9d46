#pragma once

#include <cstdint>

#include "base/recent-durations.h"

namespace gavel {

// What the disk of a store is at, so that somebody notices one that hangs or crawls (R12).
struct DiskActivity {
  std::uint64_t ended = 0;  // Calls that write or sync, since the store was opened.
  bool busy = false;        // One is under way.
  // Those that sync, the one under way among them.
  RecentDurations::Summary syncs;
};

}  // namespace gavel
