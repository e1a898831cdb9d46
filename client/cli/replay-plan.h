#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gavel::client::cli {

// Recorded auctions to be played again.
struct ReplayPlan {
  struct Bid {
    double at = 0;  // Seconds after the auction opened.
    std::string bidder;
    std::int64_t amount = 0;
  };
  struct Auction {
    std::string name;
    std::string item;
    double duration = 0;                // Seconds.
    std::optional<std::int64_t> price;  // What the item was sold for.
    std::vector<Bid> bids;              // In the order of the file.
  };

  std::vector<Auction> auctions;  // In order of first appearance.
  std::size_t bids = 0;
};

// Reads a CSV file with a header line.  Columns, in any order:
//
//   auction       name of the auction
//   item          what is sold; optional
//   duration_s    how long the auction was open, in seconds
//   at_s          when the bid came, in seconds after the auction opened
//   bidder        name of the bidder
//   amount_cents  the bid, a positive whole number
//   price_cents   what the item was sold for; optional
//   open_cents    ignored; optional
//
// An auction's item, duration and price are those of its first line.  Other columns, and values
// that make no sense, are UsageErrors that name file, line and column.
ReplayPlan readReplayPlan(const std::string& file, std::string_view contents);

}  // namespace gavel::client::cli
