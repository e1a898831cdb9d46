#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <kj/async-io.h>

namespace gavel::cluster {

// Returns why this process may not mount file systems; nothing if it may.
//
// The first call gives this process, and all that it starts later, a mount namespace of its own.
// So nothing stays mounted, however the test ends.
std::optional<std::string> whyNoMounts(kj::AsyncIoContext& io);

// A file system in memory, whose size can be changed.
class MemoryDisk {
public:
  MemoryDisk(std::string place, std::size_t bytes);
  ~MemoryDisk();
  KJ_DISALLOW_COPY(MemoryDisk);

  void resize(std::size_t bytes);

private:
  std::string place;
};

// A disk of its own with an ext4 file system, in the file `image`, on a loop device.
class LoopDisk {
public:
  // Formats and mounts it.
  LoopDisk(kj::AsyncIoContext& io, std::string image, std::string place, std::size_t bytes);
  ~LoopDisk();
  KJ_DISALLOW_COPY(LoopDisk);

  const std::string& place() const { return place_; }

  // Acts as a loss of power: nothing reaches the disk any more.  What was written and not synced is
  // gone, and the journal ends where it was.  Everybody who uses it gets errors until it is mounted
  // anew.
  void cutPower();
  // The file system finds itself damaged and becomes read-only, as ext4 does then.
  void failReadOnly();

  // All writers wait until thaw().
  void freeze();
  void thaw();

  // Nobody may use it.
  void unmount();
  // Replays the journal.
  void mount();
  // Mounts it anew; nobody may use it.
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

// Makes everything in the directory's file system durable.
void sync(const std::string& directory);

// Empties a data directory durably.
void wipe(const std::string& directory);
// Makes it a copy of another one, durably.
void replaceWith(const std::string& directory, const std::string& copy);

}  // namespace gavel::cluster
