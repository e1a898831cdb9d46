#pragma once

#include <optional>
#include <string_view>

#include "auction/auction.h"

namespace gavel::auction {

// Auctions that are over and not in memory any more.  A function of the log like the state itself:
// State forgets an auction only after it was stored (State::release()).
class EndedAuctions {
public:
  virtual ~EndedAuctions() noexcept(false) = default;

  // Without the versions of its history.
  virtual std::optional<Auction> find(std::string_view name) const = 0;
};

}  // namespace gavel::auction
