#pragma once

#include <cstdint>

#include "auction/auction.h"
#include "auction/state.h"
#include "schema/auction.capnp.h"

// What queries and watchers see of the auction state.
namespace gavel::wire {

// The point of the log that an answer is as of.
struct Basis {
  std::uint64_t index = 0;   // That of the last entry applied.
  auction::Stamp stamp = 0;  // Its stamp.
  auction::Stamp now = 0;    // Chain time (R15).
};

// Looks the names of bidders up in `state`.
void writeAuction(const auction::Auction& auction, const auction::State& state, const Basis& basis,
                  schema::AuctionView::Builder view);
// Writes the terms as the auction has them now, without its reserve, which is secret.
void writeTermsOf(const auction::Auction& auction, schema::Terms::Builder builder);
// Writes version `number` of an auction.
void writeVersion(std::uint64_t number, const auction::Version& version,
                  const auction::State& state, schema::Version::Builder builder);

}  // namespace gavel::wire
