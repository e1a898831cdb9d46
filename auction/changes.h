#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "auction/auction.h"

namespace gavel::auction {

// What has changed in a state since its last capture (State::capture()), as records for a store.
struct Changes {
  // An auction among the records, of which something need not stay in memory: its first `versions`,
  // which have records of their own, or all of it.
  struct Stored {
    AuctionId id = 0;
    std::uint64_t versions = 0;
    bool over = false;
  };

  std::uint64_t lastIndex = 0;  // The state is as of this entry.
  std::string records;          // In the framing of records.h; all of them replace or remove.
  std::vector<Stored> toRelease;
};

}  // namespace gavel::auction
