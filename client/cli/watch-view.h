#pragma once

#include <string>

#include "client/cli/output.h"
#include "schema/auction.capnp.h"

// Texts for watchers of an auction's events.
namespace gavel::client::cli {

// What is known of an auction before its next version.  It tells whether a bid outbids somebody.
struct Standing {
  std::string leader;         // Empty: nobody, or unknown.
  std::int64_t deadline = 0;  // 0: unknown.

  void take(schema::Version::Reader version);
  void take(schema::AuctionView::Reader auction);
};

// "bid 120 by bob, outbidding alice; now ends at 2026-11-24T03:12:44Z".
std::string happening(schema::Version::Reader version, const Standing& before);
// Whether no version follows this one.
bool isLast(schema::Version::Reader version);

// Prints one line for a version; `named`: with the auction's name.
void print(const Printer& print, const std::string& auction, schema::Version::Reader version,
           const Standing& before, bool named);
// Reports that the chain holds some of the changes no more.
void printGap(const Printer& print, std::uint64_t position);

}  // namespace gavel::client::cli
