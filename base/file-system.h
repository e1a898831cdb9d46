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

// An open file.  Closed with this object.  All throw as FileSystem does.
class File {
public:
  virtual ~File() noexcept(false) = default;

  virtual std::uint64_t size() const = 0;
  // Returns how much there was to read, up to the file's end.
  virtual std::size_t read(std::uint64_t offset, kj::ArrayPtr<kj::byte> into) const = 0;
  // Writes all of it, without waiting for the disk.
  virtual void write(std::uint64_t offset, kj::ArrayPtr<const kj::byte> bytes) = 0;
  // Makes it `size` bytes long, if it is shorter, with room on the disk for all of them.
  virtual void allocate(std::uint64_t size) = 0;
  // Makes durable what has been written, and what is needed to read it; sync() all there is to know
  // of the file.  Neither does so for its name: see FileSystem::syncDirectory().
  //
  // After one that failed nobody knows what is on the disk: what was written still reads well, and
  // a later sync may succeed without having written it (R2, R12).
  virtual void syncData() = 0;
  virtual void sync() = 0;
};

// All that a store does with files and directories; but for what RocksDB does itself, for which
// environment() is.  Disks of tests take its place, which know what was synced.
//
// Throws FAILED, or OVERLOADED where there is no room, with a text that says what failed, where and
// why.  Used from several threads.
class FileSystem {
public:
  virtual ~FileSystem() noexcept(false) = default;

  enum class Missing { fail, make };
  // For reading and writing.
  virtual std::unique_ptr<File> open(const std::string& path, Missing missing) = 0;
  virtual std::unique_ptr<File> openToRead(const std::string& path) = 0;
  // Locks the file against other processes, making it if it is missing, until what is returned is
  // gone; null if another process has locked it.
  virtual std::unique_ptr<File> lock(const std::string& path) = 0;

  // False also where it cannot be looked for.
  virtual bool exists(const std::string& path) = 0;
  virtual bool isDirectory(const std::string& path) = 0;
  // The names of what is in a directory, in no order.
  virtual std::vector<std::string> list(const std::string& path) = 0;
  // Makes the directory, and those it is in, where they are missing; returns whether it was.
  virtual bool makeDirectories(const std::string& path) = 0;
  virtual void rename(const std::string& from, const std::string& to) = 0;
  // Nothing of it need be there.
  virtual void removeAll(const std::string& path) = 0;
  // Makes durable which names there are in the directory, and of what.
  virtual void syncDirectory(const std::string& path) = 0;

  // What RocksDB runs on; null for its own.
  virtual rocksdb::Env* environment() = 0;
};

// The file systems of this machine.
FileSystem& machineFiles();

// Makes durable the names of the directory, and of those it is in, as far as it can be done: for
// what has just been made there.
void syncParents(FileSystem& files, const std::string& directory);

// All that is in the file from `offset` on, as text.
std::string readText(const File& file, std::uint64_t offset = 0);

inline kj::ArrayPtr<const kj::byte> bytesOfText(const std::string& text) {
  return {reinterpret_cast<const kj::byte*>(text.data()), text.size()};
}

}  // namespace gavel
