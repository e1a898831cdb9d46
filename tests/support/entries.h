#pragma once

#include <vector>

#include "log/batch.h"
#include "topology/configuration.h"

namespace gavel {

// `count` bids with indexes from `first` on.
inline std::vector<auction::Entry> bids(std::uint64_t first, std::size_t count) {
  std::vector<auction::Entry> entries;
  for (std::size_t i = 0; i < count; ++i) {
    auction::Bid bid{"lamp", {"ann", {}}, static_cast<auction::Amount>(100 + i)};
    entries.push_back({first + i, static_cast<auction::Stamp>(first + i), {1, first + i, 1}, bid});
  }
  return entries;
}

inline BatchPtr batchAfter(Position previous, std::size_t count, std::uint64_t epoch = 1) {
  return Batch::make(epoch, previous, bids(previous.index + 1, count));
}

// A configuration with one member.
inline Configuration configurationOf(std::uint64_t epoch) {
  Configuration configuration;
  configuration.clusterId = 5;
  configuration.epoch = epoch;
  configuration.members.push_back({"n1", "localhost:1", 3, 4, true});
  return configuration;
}

}  // namespace gavel
