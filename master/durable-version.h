#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/file-system.h"

namespace gavel::master {

// Notes, in a small file, the newest version of something that is known to be durable elsewhere.
//
// A log may end in a record that cannot be read.  Either a crash has cut it off, and nobody has
// heard of that record; or it is damaged, and somebody has.  Only the note tells the two apart.
//
// The note is written when the version is durable and before it is reported to anybody.  It is
// synced at once or soon after.  So it is never above what a crash leaves.  It is below what was
// reported only if power was lost in that moment.
//
// The file holds two slots of a page each, written in turn: 8 bytes that name the format, 8 bytes
// version, 8 bytes XXH3-64 of those; little-endian.  A slot is in one sector, which is written as a
// whole or not at all.  If one slot rots, the other still holds the version before the last one, or
// the last one.
//
// Used by one thread at a time, except sync().
class DurableVersion {
public:
  // Opens the file, or makes it: its content is durable then, its name is not.  Throws as
  // FileSystem does.
  DurableVersion(std::string path, FileSystem& files);

  const std::string& path() const { return path_; }
  // Returns the newest version that is noted; 0: none.
  std::uint64_t version() const { return version_; }
  // Whether a sound slot holds a version, even if that is 0.
  bool known() const { return known_; }
  // Returns how many slots hold something that is not sound.
  unsigned damagedSlots() const { return damagedSlots_; }

  // Notes `version` without waiting for the disk.  It is durable when sync() returns, which any
  // thread may call.
  void write(std::uint64_t version);
  void sync();
  // Writes and syncs.
  void note(std::uint64_t version);
  // Writes and syncs both slots, at a start: what was read there may never have been synced (R2).
  void noteAnew(std::uint64_t version);

private:
  std::string path_;
  std::unique_ptr<File> file;
  std::uint64_t version_ = 0;
  unsigned nextSlot = 0;
  unsigned damagedSlots_ = 0;
  bool known_ = false;
};

}  // namespace gavel::master
