#pragma once

#include <cstdint>

#include "auction/auction.h"

// Digests of what is in a store only, so that State::hash() covers it all the same.
namespace gavel::auction {

// Returns the digest of a history that ends with `version`.  `previous` is the digest of the
// versions before it, 0 if there are none.
std::uint64_t digestAfter(std::uint64_t previous, const Version& version);

// A sum of XXH3-128 digests, lane by lane: equal for equal sets, whatever the order.
struct DigestSum {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  void add(const Auction& auction);
  bool operator==(const DigestSum&) const = default;
};

}  // namespace gavel::auction
