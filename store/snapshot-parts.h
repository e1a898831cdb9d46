#pragma once

#include <cstdint>

#include <kj/common.h>

// The parts that a snapshot travels in (snapshot.capnp).  Each checksum is seeded with
// the one before.
namespace gavel {

std::uint64_t partChecksum(kj::ArrayPtr<const kj::byte> data, std::uint64_t previous);

// Checks the parts of one snapshot as they come.  Throws FAILED, and says which is
// damaged or missing.
class PartsCheck {
public:
  void add(kj::ArrayPtr<const kj::byte> data, std::uint64_t checksum);
  // No more parts come; `count` is how many there have to be.
  void finish(std::uint64_t count) const;

private:
  std::uint64_t count = 0;
  std::uint64_t last = 0;
};

}  // namespace gavel
