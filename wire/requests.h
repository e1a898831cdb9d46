#pragma once

#include <vector>

#include <kj/string.h>

#include "auction/outcome.h"
#include "auction/request.h"
#include "schema/auction.capnp.h"

// Translates between the calls of the Auctioneer interface and the auction rules.
namespace gavel::wire {

// A secret must be long enough not to be guessed.  It is hashed at once.
constexpr std::size_t MIN_CREDENTIAL_BYTES = 16;
constexpr std::size_t MAX_CREDENTIAL_BYTES = 64;

// Texts in the results point into the message.
auction::Request readOpenSession();
auction::Request readBid(schema::RequestId::Reader id, schema::Bid::Reader bid);
std::vector<auction::Request> readBids(capnp::List<schema::BidRequest>::Reader bids);
auction::Request readCreate(schema::Auctioneer::CreateParams::Reader params);
auction::Request readClose(schema::Auctioneer::CloseParams::Reader params);
auction::Request readCancel(schema::Auctioneer::CancelParams::Reader params);

void writeOutcome(const auction::Outcome& outcome, schema::Outcome::Builder builder);
void writeException(schema::Outcome::Exception::Reason reason, kj::StringPtr detail,
                    schema::Outcome::Builder builder);

}  // namespace gavel::wire
