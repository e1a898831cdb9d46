#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <kj/common.h>

#include "base/file-system.h"
#include "log/bound.h"

namespace gavel {

// What of a store was certainly durable when this was written.  It is a lower bound: what a store
// does not hold of it was lost to damage.
//
// Invariant: a bound is at or before `end` when it is noted.  Afterwards it may be above `end`,
// since two things lower the end and leave the bound: dropping what an operator's `recover` gave
// up, after which the old bound does not count, and dropping everything for a snapshot, until that
// is complete.
struct DurableMarker {
  std::uint64_t storeId = 0;
  std::uint64_t generation = 0;  // 0: no start has come to its end yet.
  std::uint64_t sequence = 0;    // RocksDB's number of the last durable write.
  std::uint64_t cuts = 0;        // How often the log had been cut.
  Position end;          // The log's durable end; if `damaged`, how far the log has to grow.
  bool damaged = false;  // The log has lost something, and has not got it back yet.
  Bound bound = {};      // The position that is known to be committed (R11).

  bool operator==(const DurableMarker&) const = default;
};

// The file with the newest marker.  It is apart from the log and the database, so that it does not
// share their fate.  These are recovered up to the first record that is not sound, and cannot tell
// by themselves whether that record was ever durable.
//
// The file has two slots of 4096 bytes, written in turn, so that a half-written one does no harm.
// The sound slot with the higher serial number counts.  A slot is zeros, or
//
//   magic         "durable2"
//   serial        counts up
//   the marker    its fields in order: `damaged` is 1 or 0, `end` is epoch, index and checksum, and
//                 `bound` is the same of its position, then the epoch `madeIn`
//   checksum      XXH3-64 of all that: bytes 0 to 111
//   zeros         to the end of the slot
//
// Each of these is 8 bytes, as the machine has integers in memory: for little-endian machines only.
class MarkerFile {
public:
  // Opens the file at `path`, and makes it if it is missing.  Throws as FileSystem does.
  explicit MarkerFile(const std::string& path, FileSystem& files = machineFiles());
  KJ_DISALLOW_COPY(MarkerFile);

  // The newest marker; null if there is none that can be read.
  const kj::Maybe<DurableMarker>& recovered() const { return recovered_; }
  // Whether the file was missing.
  bool made() const { return made_; }
  // Whether a slot holds something that is neither a marker nor zeros.
  bool unreadable() const { return unreadable_; }

  // write() does not wait for the disk, since an older marker says nothing wrong.  Both throw if
  // the disk fails.
  void write(const DurableMarker& marker);
  void sync();

private:
  std::unique_ptr<File> file;
  kj::Maybe<DurableMarker> recovered_;
  bool made_ = false;
  bool unreadable_ = false;
  std::uint64_t serial = 0;
  unsigned nextSlot = 0;

  void readSlots();
};

}  // namespace gavel
