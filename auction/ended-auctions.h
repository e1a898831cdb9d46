#pragma once

#include <optional>
#include <string_view>

#include "auction/auction.h"

namespace gavel::auction {

// Auctions that are over and in a store only.  They are a function of the log like the state
// itself: State forgets an auction only after it was stored (State::release()).
class EndedAuctions {
public:
  virtual ~EndedAuctions() noexcept(false) = default;

  // Returns the auction without the versions of its history; null if there is none.
  virtual std::optional<Auction> find(std::string_view name) const = 0;
};

}  // namespace gavel::auction
