#pragma once

#include <string>

#include "client/cli/output.h"
#include "schema/auction.capnp.h"
#include "schema/topology.capnp.h"

namespace gavel::client::cli {

// An auction in one line.
std::string summary(const Printer& print, schema::AuctionView::Reader auction);
// "open", "sold", "no sale" or "cancelled".
std::string stateOf(schema::AuctionView::Reader auction);
// "created", "bid", "closed" or "cancelled".
std::string kindOf(schema::Version::Kind kind);
// Its row in a table of AUCTION_COLUMNS.
std::vector<std::string> rowOf(schema::AuctionView::Reader auction);
// All that is known of it, a line for each fact.
std::string details(schema::AuctionView::Reader auction);

// "head", "middle", "head+tail", "syncing" ...
std::string roleOf(schema::NodeStatus::Role role);
// "serving" or "syncing".
std::string stateOf(schema::Member::State state);
// "n1 > n2 > n3 (syncing)"; "nobody" if it has no members.
std::string chainOf(schema::Configuration::Reader configuration);
// "n1 > n2 > n3, epoch 4 (n0 lost: connection closed)".
std::string summary(schema::Configuration::Reader configuration);

extern const std::vector<std::string> AUCTION_COLUMNS;

}  // namespace gavel::client::cli
