#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/file-system.h"
#include "tests/disk/contents.h"

namespace gavel::disk {

// An operation that a process is about to do on the disk.
struct Operation {
  enum class What : std::uint8_t { write, resize, sync, change, syncNames };
  What what;
  Contents::Id id;  // The file or directory; NONE if it is to be made.
  std::string path;
};

// A disk in memory as one process uses it: its files, and those of RocksDB.  It is used from
// several threads.
class TestDisk final: public FileSystem {
public:
  // It is called before each operation, one at a time, with the contents so far.
  using Before = std::function<void(const Operation&, Contents&)>;

  explicit TestDisk(Contents contents);
  ~TestDisk() noexcept(false) override;
  KJ_DISALLOW_COPY(TestDisk);

  void setBefore(Before before);
  // The present contents.
  Contents contents() const;
  // Leaves that many bytes free; what needs more fails.  Initially there is no limit.
  void setRoom(std::uint64_t bytes);
  // Lets the next sync of a file fail whose path contains `path`.
  void failNextSync(std::string path);

  // -- FileSystem

  std::unique_ptr<File> open(const std::string& path, Missing missing) override;
  std::unique_ptr<File> openToRead(const std::string& path) override;
  std::unique_ptr<File> lock(const std::string& path) override;
  bool exists(const std::string& path) override;
  bool isDirectory(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  bool makeDirectories(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void removeAll(const std::string& path) override;
  void syncDirectory(const std::string& path) override;
  rocksdb::Env* environment() override;

  // -- for RocksDB

  // Opens an empty file, and replaces an existing one.
  std::unique_ptr<File> openAnew(const std::string& path);
  void resize(const std::string& path, std::uint64_t size);
  // Returns false if it does not exist.
  bool remove(const std::string& path);

private:
  class OpenFile;

  mutable std::mutex mutex;
  Contents contents_;
  Before before;
  std::uint64_t room = UINT64_MAX;
  std::string failingSync;
  std::set<std::string> locked;
  std::unique_ptr<rocksdb::Env> environment_;

  Contents::Id required(const std::string& path) const;
  void tell(Operation::What what, Contents::Id id, const std::string& path);
  void removeTree(const std::string& path);
  void takeRoom(const std::string& path, std::uint64_t bytes);
};

}  // namespace gavel::disk
