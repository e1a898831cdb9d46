#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <kj/async-io.h>

namespace gavel::cluster {

// Why this process may not mount file systems; nothing if it may.
//
// The first call gives this process, and all that it starts from then on, a mount namespace of its
// own, so that nothing stays mounted in whatever way the test ends.
std::optional<std::string> whyNoMounts(kj::AsyncIoContext& io);

// A file system in memory, of a size that can be changed.
class MemoryDisk {
public:
  MemoryDisk(std::string place, std::size_t bytes);
  ~MemoryDisk();
  KJ_DISALLOW_COPY(MemoryDisk);

  void resize(std::size_t bytes);

private:
  std::string place;
};

// A disk of its own with an ext4 file system, in the file `image`, by a loop device.
class LoopDisk {
public:
  // Formats and mounts it.
  LoopDisk(kj::AsyncIoContext& io, std::string image, std::string place, std::size_t bytes);
  ~LoopDisk();
  KJ_DISALLOW_COPY(LoopDisk);

  const std::string& place() const { return place_; }

  // Nothing reaches the disk any more, as if its power was lost: what was written and not synced is
  // gone, and the journal ends where it was.  All that uses it gets errors until it is mounted
  // anew.
  void cutPower();
  // The file system finds itself damaged, and becomes read-only, as ext4 then does.
  void failReadOnly();

  // Whatever writes to it waits, until thaw(), for ever if need be.
  void freeze();
  void thaw();

  // Nothing may use it.
  void unmount();
  // Replays its journal.
  void mount();
  // Mounts it anew; nothing may use it.
  void remountReadOnly();

  // The name of a file system's block device: "loop0".
  std::string device() const;

private:
  kj::AsyncIoContext& io;
  std::string image;
  std::string place_;
  bool mounted = false;
  bool frozen = false;
};

// Makes what is in the directory's file system durable.
void sync(const std::string& directory);

// Makes a data directory empty, and that durable.
void wipe(const std::string& directory);
// Makes it a copy of another one, likewise.
void replaceWith(const std::string& directory, const std::string& copy);

}  // namespace gavel::cluster
