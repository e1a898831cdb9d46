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

// What is on a disk, and what of its files is in the page cache: a value, which can be kept and
// gone on from later, as copies share what they have in common.
//
// What it takes a kernel and a disk to do:
// - What is written is in the page cache only until it is synced, or written back at some time of
// the
//   kernel's own choosing.  A sync makes durable the pages that are dirty, and the file's size.
// - A sync of a directory makes durable the names in it; that of a file does not do so for its
// name.
// - When power is lost, of the pages that were dirty any sectors of 512 bytes may have come to the
//   disk, and of the changes of names in each directory some, from the first on.  A file that has
//   grown ends anywhere within what it has grown by, and all before its end is there.  So it is
//   with ext4 (data=ordered) and XFS, and RocksDB relies on it.
// - When a sync fails, some of the pages may be on the disk and others not, but all count as clean:
//   they read well until power is lost, and a later sync does not write them (ext4, XFS).
class Contents {
public:
  static constexpr std::size_t PAGE = 4096;
  static constexpr std::size_t SECTOR = 512;
  // A file or directory.
  using Id = std::size_t;
  static constexpr Id NONE = 0;
  static constexpr Id ROOT = 1;
  // Decides of one part after the other whether it has come to the disk; says of which file or
  // directory.
  using Keep = std::function<bool(Id)>;

  Contents();

  // -- names.  Directories that a path leads through have to be there.

  Id find(const std::string& path) const;  // NONE if there is none.
  // With its directory; it need not be there itself.
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
  // Some of what is dirty comes to the disk by itself.
  void writeBack(Id file, const Keep& keep);

  // -- faults

  void failSync(Id file, const Keep& keep);
  // What is left when power is lost.  Asks `keep` at most unsynced() times.
  Contents afterPowerLoss(const Keep& keep) const;
  // How many parts there are of which each may or may not have come to the disk.
  std::size_t unsynced() const;
  // Forgets files that have no name any more, and will not get one again.
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
  // That is atomic: what each name stands for after it.
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
