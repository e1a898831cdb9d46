#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "auction/state.h"

// The state as bytes.  A snapshot (State::snapshot) is
//
//   magic       8 bytes, SNAPSHOT_MAGIC
//   format      u32, SNAPSHOT_FORMAT
//   lastIndex   u64
//   lastStamp   i64
//   auctions    u64 count, then each record, by id
//   bidders     u64 count, then each record, by id
//   sessions    u64 count, then each record, by id
//
// with records laid out as fields.h lists them and archive.h encodes them.  There is no checksum:
// who stores or sends a snapshot has one of its own, and State::hash() tells two states apart.
//
// Records stand alone, for stores that keep one per auction, bidder and session.
namespace gavel::auction {

constexpr std::string_view SNAPSHOT_MAGIC = "GAVELST\n";
constexpr std::uint32_t SNAPSHOT_FORMAT = 1;

// Append one record to `bytes`.
void encode(const Auction& auction, std::string& bytes);
void encode(const Bidder& bidder, std::string& bytes);
void encode(const Session& session, std::string& bytes);

// Read the one record that `bytes` is.  Throw std::runtime_error if it is anything else; whether
// the record makes sense is for findDamage() to say (integrity.h).
Auction decodeAuction(std::string_view bytes);
Bidder decodeBidder(std::string_view bytes);
Session decodeSession(std::string_view bytes);

}  // namespace gavel::auction
