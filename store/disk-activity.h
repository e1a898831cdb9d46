#pragma once

#include <cstdint>

#include "base/recent-durations.h"

namespace gavel {

// What a store's disk is doing, so that a disk that hangs or crawls is noticed (R12).
struct DiskActivity {
  std::uint64_t ended = 0;  // Calls that write or sync and have ended since the store was opened.
  bool busy = false;        // One is under way.
  // Calls that sync, with the one that is under way.
  RecentDurations::Summary syncs;
};

}  // namespace gavel
