#pragma once

#include <cstdint>

#include "auction/auction.h"

// Digests of what is not in memory any more, so that State::hash() covers it all the same.
namespace gavel::auction {

// The digest of a history that goes on with `version`, `previous` being that of the history before;
// 0 is that of none.
std::uint64_t digestAfter(std::uint64_t previous, const Version& version);

// A sum of XXH3-128 digests, lane by lane: equal for equal sets, whatever the order.
struct DigestSum {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  void add(const Auction& auction);
  bool operator==(const DigestSum&) const = default;
};

}  // namespace gavel::auction
