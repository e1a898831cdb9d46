#include "auction/digest.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <xxhash.h>

#include "auction/archive.h"
#include "auction/records.h"

namespace gavel::auction {
namespace {

// One is made for each bid, so it does not allocate.
struct VersionSink {
  std::array<std::byte, 1 + 5 * 8> bytes;
  std::size_t used = 0;

  void write(const void* data, std::size_t size) {
    if (size > bytes.size() - used) throw std::length_error("a version longer than its sink");
    std::memcpy(bytes.data() + used, data, size);
    used += size;
  }
};

}  // namespace

std::uint64_t digestAfter(std::uint64_t previous, const Version& version) {
  VersionSink sink;
  Writer writer(sink);
  writer(version);
  return XXH3_64bits_withSeed(sink.bytes.data(), sink.used, previous);
}

void DigestSum::add(const Auction& auction) {
  std::string bytes;
  encode(auction, bytes);
  const XXH128_hash_t digest = XXH3_128bits(bytes.data(), bytes.size());
  low += digest.low64;
  high += digest.high64;
}

}  // namespace gavel::auction
