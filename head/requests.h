#pragma once

#include "auction/outcome.h"
#include "head/admission.h"
#include "schema/auction.capnp.h"

// Between the calls of the Auctioneer interface and the head's desk.
namespace gavel::head {

// A secret must be long enough not to be guessed, and is hashed at once.
constexpr std::size_t MIN_CREDENTIAL_BYTES = 16;
constexpr std::size_t MAX_CREDENTIAL_BYTES = 64;

// Texts in the results point into the message.
Request readOpenSession();
Request readBid(schema::RequestId::Reader id, schema::Bid::Reader bid);
std::vector<Request> readBids(capnp::List<schema::BidRequest>::Reader bids);
Request readCreate(schema::Auctioneer::CreateParams::Reader params);
Request readClose(schema::Auctioneer::CloseParams::Reader params);
Request readCancel(schema::Auctioneer::CancelParams::Reader params);

void writeOutcome(const auction::Outcome& outcome, schema::Outcome::Builder builder);
// Of an answer without outcomes.
void writeRefusal(const Answer& answer, schema::Outcome::Builder builder);
void writeException(schema::Outcome::Exception::Reason reason, kj::StringPtr detail,
                    schema::Outcome::Builder builder);

}  // namespace gavel::head
