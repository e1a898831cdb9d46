#pragma once

#include <cstdint>
#include <string>

#include "log/segmented-log.h"
#include "store/rocks-committed.h"

namespace gavel {

// Copies the log after `after`, or all there is of it if that begins later, into the file of that
// epoch in the data directory, and syncs it; returns what it holds and where, for people.  A file
// that is there already holds the same, as the log of a node that has yet to drop it does not
// change, and is left alone.  On the reading thread.
//
// The file: 8 bytes "gaveldr1", then for each batch its size in 8 bytes, little-endian, and the
// batch as it is sent and stored (log.capnp).
//
// Ends the process if the disk fails (R12).
std::string copyAside(const RocksDatabase& database, const SegmentedLog& log, RocksShared& shared,
                      std::uint64_t after, std::uint64_t epoch);

}  // namespace gavel
