#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "auction/auction.h"

namespace gavel::auction {

// What has changed in a state since its last capture (State::capture()), as records for a store.
struct Changes {
  // An auction among the records that need not stay in memory as a whole.  Its first `versions` are
  // in records of their own; if it is `over`, all of it is in records.
  struct Stored {
    AuctionId id = 0;
    std::uint64_t versions = 0;
    bool over = false;
  };

  std::uint64_t lastIndex = 0;  // The state is as of this entry.
  std::string records;          // Framed as in records.h.  Each replaces or removes one.
  std::vector<Stored> toRelease;
};

}  // namespace gavel::auction
