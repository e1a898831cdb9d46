#pragma once

#include <string>

#include "client/cli/output.h"
#include "schema/auction.capnp.h"

namespace gavel::client::cli {

// An auction in one line.
std::string summary(const Printer& print, schema::AuctionView::Reader auction);
// "open", "sold", "no sale" or "cancelled".
std::string stateOf(schema::AuctionView::Reader auction);
// "created", "bid", "closed" or "cancelled".
std::string kindOf(schema::Version::Kind kind);
// Its row in a table of AUCTION_COLUMNS.
std::vector<std::string> rowOf(schema::AuctionView::Reader auction);
// All there is to know, a line for each fact.
std::string details(schema::AuctionView::Reader auction);

extern const std::vector<std::string> AUCTION_COLUMNS;

}  // namespace gavel::client::cli
