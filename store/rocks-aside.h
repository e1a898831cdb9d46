#pragma once

#include <cstdint>
#include <string>

#include "log/segmented-log.h"
#include "store/rocks-committed.h"

namespace gavel {

// Copies the log after `after`, or all there is of it if it begins later, into the data directory's
// file dropped-EPOCH, and syncs that.  Returns the file's path.  A file that is there already is
// left alone.  It holds the same, since the log of a node that has yet to drop it does not change.
// Called on the reading thread.
//
// The file is 8 bytes "gaveldr1", then of each batch its size in 8 bytes, and the batch as it is
// sent and stored (log.capnp).  The size is as the machine has it in memory (for little-endian
// machines only), and no checksum covers it.
//
// Ends the process if the disk fails (R12).
std::string copyAside(const RocksDatabase& database, const SegmentedLog& log, RocksShared& shared,
                      std::uint64_t after, std::uint64_t epoch);

}  // namespace gavel
