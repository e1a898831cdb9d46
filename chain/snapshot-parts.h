#pragma once

#include <cstdint>
#include <xxhash.h>

#include <kj/array.h>

namespace gavel::chain {

// Version of SnapshotHeader, and of what follows it.
constexpr std::uint32_t SNAPSHOT_FORMAT = 1;

// Follows the parts of a snapshot (snapshot.capnp) on the way out or in: each has a checksum that
// covers all the ones before it.
class SnapshotChain {
public:
  // Takes in the next part, and returns its checksum.
  std::uint64_t add(kj::ArrayPtr<const kj::byte> data) {
    checksum_ = XXH3_64bits_withSeed(data.begin(), data.size(), checksum_);
    ++parts_;
    return checksum_;
  }

  std::uint64_t parts() const { return parts_; }
  // Of the last part; 0 if there is none.
  std::uint64_t checksum() const { return checksum_; }

private:
  std::uint64_t parts_ = 0;
  std::uint64_t checksum_ = 0;
};

}  // namespace gavel::chain
