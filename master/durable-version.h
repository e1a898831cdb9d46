#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/file-system.h"

namespace gavel::master {

// Notes, in a small file, the newest version of something that is known to be durable elsewhere.
//
// A log that ends in a record which cannot be read may have been cut off by a crash, and nobody was
// told of that record; or it has been damaged, and somebody was.  Only the note tells these apart.
// It is written when the version is durable, before anybody is told, and synced at once or soon
// after: so it is never above what a crash leaves, and below what was told only if power was lost
// in that moment.
//
// The file holds two slots of a page each, written in turn: 8 bytes that name the format, 8 bytes
// version, 8 bytes XXH3-64 of those; little-endian.  All is in one sector, which is written as a
// whole or not at all.  So one slot may rot, and the other still says what was durable before the
// last version.
//
// For one thread at a time, but for sync().
class DurableVersion {
public:
  // Opens the file, or makes it, durably but for its name.  Throws as FileSystem does.
  DurableVersion(std::string path, FileSystem& files);

  const std::string& path() const { return path_; }
  // The newest version that was noted; 0: none.
  std::uint64_t version() const { return version_; }
  // Whether a slot says so.
  bool known() const { return known_; }
  // How many slots hold something that is not sound.
  unsigned damagedSlots() const { return damagedSlots_; }

  // Without waiting for the disk; durable when sync() returns, which any thread may call.
  void write(std::uint64_t version);
  void sync();
  // Both.
  void note(std::uint64_t version);
  // In both slots, at a start: what was read there may never have been synced (R2).
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
