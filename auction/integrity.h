#pragma once

#include <cstdint>
#include <string_view>

#include "auction/auction.h"
#include "auction/sessions.h"

// Checks records that were read rather than made by the rules, before anything relies on them.
// Every log guarantees what is checked here, but bytes guarantee nothing.
namespace gavel::auction {

// What the records have to agree with.
struct Surroundings {
  std::uint64_t lastIndex = 0;
  Stamp lastStamp = 0;
  std::uint64_t bidders = 0;  // How many; their ids are [1, bidders].
};

// Return the first thing that is wrong with the record, by itself or in its surroundings; empty if
// it is sound.
std::string_view findDamage(const Auction& auction, const Surroundings& surroundings);
std::string_view findDamage(const Bidder& bidder);
std::string_view findDamage(const Session& session, const Surroundings& surroundings);

}  // namespace gavel::auction
