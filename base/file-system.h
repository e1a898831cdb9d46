#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <kj/array.h>
#include <kj/common.h>

namespace rocksdb {
class Env;
}

namespace gavel {

// An open file, which is closed with this object.  All methods throw as those of FileSystem do.
class File {
public:
  virtual ~File() noexcept(false) = default;

  virtual std::uint64_t size() const = 0;
  // Returns how many bytes were read; fewer than `into` holds only at the file's end.
  virtual std::size_t read(std::uint64_t offset, kj::ArrayPtr<kj::byte> into) const = 0;
  // Writes all of `bytes`, without waiting for the disk.
  virtual void write(std::uint64_t offset, kj::ArrayPtr<const kj::byte> bytes) = 0;
  // Extends a shorter file to `size` bytes, with room on the disk for all of them.
  virtual void allocate(std::uint64_t size) = 0;
  // syncData() makes durable what was written and what is needed to read it; sync() also makes
  // durable all else that is known of the file.  Neither does so for its name: see
  // FileSystem::syncDirectory().
  //
  // After a sync that failed, nobody knows what is on the disk.  What was written still reads well,
  // and a later sync may succeed without having written it (R2, R12).
  virtual void syncData() = 0;
  virtual void sync() = 0;
};

// All that a store does with files and directories, except what RocksDB does itself: that goes
// through environment().  Tests put disks in its place that know what was synced.
//
// Throws FAILED, or OVERLOADED where there is no room, with a text that says what failed, where and
// why.  Used from several threads.
class FileSystem {
public:
  virtual ~FileSystem() noexcept(false) = default;

  enum class Missing { fail, make };
  // Opens the file for reading and writing.
  virtual std::unique_ptr<File> open(const std::string& path, Missing missing) = 0;
  virtual std::unique_ptr<File> openToRead(const std::string& path) = 0;
  // Locks the file against other processes for as long as the returned object lives; makes a
  // missing file.  Returns null if another process has locked it.
  virtual std::unique_ptr<File> lock(const std::string& path) = 0;

  // Returns false also if the path cannot be looked at.
  virtual bool exists(const std::string& path) = 0;
  virtual bool isDirectory(const std::string& path) = 0;
  // Returns the names of what is in a directory, in no particular order.
  virtual std::vector<std::string> list(const std::string& path) = 0;
  // Makes the directory, and those that it is in, where they are missing.  Returns whether it was.
  virtual bool makeDirectories(const std::string& path) = 0;
  virtual void rename(const std::string& from, const std::string& to) = 0;
  // Removes the path with all that is in it.  It need not exist.
  virtual void removeAll(const std::string& path) = 0;
  // Makes durable which names are in the directory, and which files they name.
  virtual void syncDirectory(const std::string& path) = 0;

  // Returns the environment that RocksDB runs on; null for its own.
  virtual rocksdb::Env* environment() = 0;
};

// The file systems of this machine.
FileSystem& machineFiles();

// Makes durable the name of a new directory, and the names of those that it is in.  Failures are
// ignored.
void syncParents(FileSystem& files, const std::string& directory);

// Returns all that is in the file from `offset` on, as text.
std::string readText(const File& file, std::uint64_t offset = 0);

inline kj::ArrayPtr<const kj::byte> bytesOfText(const std::string& text) {
  return {reinterpret_cast<const kj::byte*>(text.data()), text.size()};
}

}  // namespace gavel
