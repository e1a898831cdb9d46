#pragma once

#include <string>

#include "client/cli/output.h"
#include "schema/auction.capnp.h"

// How what happens in an auction looks to those who watch it.
namespace gavel::client::cli {

// What is known of an auction before its next version: what makes a bid one that outbids somebody.
struct Standing {
  std::string leader;         // Empty: nobody, or unknown.
  std::int64_t deadline = 0;  // 0: unknown.

  void take(schema::Version::Reader version);
  void take(schema::AuctionView::Reader auction);
};

// "bid 120 by bob, outbidding alice; now ends at 2026-11-24T03:12:44Z".
std::string happening(schema::Version::Reader version, const Standing& before);
// Nothing follows it.
bool isLast(schema::Version::Reader version);

// One line for a version; `named`: with the auction's name.
void print(const Printer& print, const std::string& auction, schema::Version::Reader version,
           const Standing& before, bool named);
// Some of what happened is not held by the chain any more.
void printGap(const Printer& print, std::uint64_t position);

}  // namespace gavel::client::cli
