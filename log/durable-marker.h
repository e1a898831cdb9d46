#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <kj/common.h>

#include "base/file-system.h"
#include "log/bound.h"

namespace gavel {

// What of a store was certainly durable at some time.  Never more than is: what a store no longer
// holds of it was lost to damage.
struct DurableMarker {
  std::uint64_t storeId = 0;
  std::uint64_t generation = 0;  // 0: no start has come to its end yet.
  std::uint64_t sequence = 0;    // RocksDB's number of the last write.
  std::uint64_t cuts = 0;        // How often the log had been cut.
  Position end;                  // The log's end; or what a log that lost its end has to grow to.
  bool damaged = false;          // The log has lost something, and not got it back yet.
  Bound bound = {};              // What was known to be committed, at or before `end` (R11).

  bool operator==(const DurableMarker&) const = default;
};

// A file with the newest marker, apart from the rest so that it does not share its fate.  A log or
// database that is recovered up to the first record that is not sound cannot tell by itself whether
// that record was ever durable.
//
// Two slots of a page each, written in turn, all integers little-endian:
//
//   magic, serial number, the marker's fields in order, XXH3-64 of all that
//
// so that one half-written is not taken for damage.  The sound one with the higher serial number
// counts.
class MarkerFile {
public:
  // Opens the file at `path`, making it if it is missing.  Throws as FileSystem does.
  explicit MarkerFile(const std::string& path, FileSystem& files = machineFiles());
  KJ_DISALLOW_COPY(MarkerFile);

  // The newest marker; null if there is none that can be read.
  const kj::Maybe<DurableMarker>& recovered() const { return recovered_; }
  // The file was not there.
  bool made() const { return made_; }
  // A slot holds something else than a marker, or than nothing.
  bool unreadable() const { return unreadable_; }

  // Does not wait for the disk, since an older marker says nothing wrong.  Both throw if the disk
  // fails.
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
