#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <kj/array.h>

namespace gavel::disk {

// The contents of a disk, and of its files in the page cache.  It is a value that can be kept and
// continued from later.  Copies share what they have in common.
//
// The kernel and the disk behave as follows:
//
// - Written data is in the page cache only, until it is synced, or written back at a time that the
//   kernel chooses.  A sync makes the dirty pages and the size of the file durable.
// - A sync of a directory makes the names in it durable.  A sync of a file does not make its name
//   durable.
// - When power is lost, any sectors of 512 bytes of the dirty pages may be on the disk.  Of the
//   changes of names in each directory, some may be, from the first on.  A file that has grown ends
//   anywhere in [old size, new size], and everything before its end is there.  ext4 (data=ordered)
//   and XFS behave so, and RocksDB relies on it.
// - When a sync fails, some of the pages may be on the disk and others not, but all count as clean.
//   They read well until power is lost, and a later sync does not write them (ext4, XFS).
class Contents {
public:
  static constexpr std::size_t PAGE = 4096;
  static constexpr std::size_t SECTOR = 512;
  // A file or directory.
  using Id = std::size_t;
  static constexpr Id NONE = 0;
  static constexpr Id ROOT = 1;
  // Decides for one part after the other whether it is on the disk.  The argument is its file or
  // directory.
  using Keep = std::function<bool(Id)>;

  Contents();

  // -- names.  The directories of a path have to exist.

  Id find(const std::string& path) const;  // NONE if there is none.
  // A path with its directory.  The path itself need not exist.
  struct Place {
    Id directory = NONE;
    std::string name;
  };
  Place placeOf(const std::string& path) const;
  Id make(const Place& place, bool directory);
  void rename(const Place& from, const Place& to);
  void remove(const Place& place);
  bool isDirectory(Id id) const { return nodes[id]->directory; }
  std::vector<std::string> list(Id directory) const;
  void syncNames(Id directory);

  // -- files

  std::uint64_t size(Id file) const { return nodes[file]->size; }
  std::size_t read(Id file, std::uint64_t offset, char* into, std::size_t bytes) const;
  void write(Id file, std::uint64_t offset, const char* bytes, std::size_t count);
  void resize(Id file, std::uint64_t size);
  void sync(Id file);
  // Some of the dirty parts are written to the disk without a sync.
  void writeBack(Id file, const Keep& keep);

  // -- faults

  void failSync(Id file, const Keep& keep);
  // The contents after a loss of power.  Asks `keep` at most unsynced() times.
  Contents afterPowerLoss(const Keep& keep) const;
  // The number of parts each of which may be on the disk or not.
  std::size_t unsynced() const;
  // Forgets files that have no name any more.
  void forgetNameless();

private:
  using Page = std::array<char, PAGE>;
  using PagePtr = std::shared_ptr<const Page>;  // Null: zeros.
  using Names = std::map<std::string, Id>;
  struct Node {
    bool directory = false;
    // Of a file.
    std::uint64_t size = 0, durableSize = 0;
    std::vector<PagePtr> pages, durablePages;
    std::set<std::size_t> dirty;
    // Of a directory.
    Names names, durableNames;
  };
  // The meaning of each name after one atomic change.
  struct Change {
    Place place;
    Id now;
  };
  using Changes = std::vector<Change>;

  std::vector<std::shared_ptr<const Node>> nodes;
  std::vector<Changes> pending;

  Node& change(Id id);
  std::set<Id> reachable(bool alsoCached) const;
  void apply(const Changes& changes);
  static void keepSectors(Node& node, Id id, std::size_t page, const Keep& keep);
  template <typename Visit>
  static void forUnsynced(const Node& node, Visit&& visit);
};

}  // namespace gavel::disk
