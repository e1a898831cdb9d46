#include "store/snapshot-parts.h"

#include <xxhash.h>

#include <kj/debug.h>

namespace gavel {

std::uint64_t partChecksum(kj::ArrayPtr<const kj::byte> data, std::uint64_t previous) {
  return XXH3_64bits_withSeed(data.begin(), data.size(), previous);
}

void PartsCheck::add(kj::ArrayPtr<const kj::byte> data, std::uint64_t checksum) {
  auto actual = partChecksum(data, last);
  KJ_REQUIRE(actual == checksum, "a part of the snapshot is damaged, or one before it is missing",
             count + 1, checksum, actual);
  last = checksum;
  ++count;
}

void PartsCheck::finish(std::uint64_t expected) const {
  KJ_REQUIRE(count == expected, "the snapshot is not complete", count, expected);
}

}  // namespace gavel
