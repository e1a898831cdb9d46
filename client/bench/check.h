#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schema/auction.capnp.h"

// Checks that a chain has kept what it reported to `gavel bench`.
namespace gavel::client::cli {

// A bid that the chain has accepted, or whose outcome is unknown.
struct Told {
  std::uint32_t auction;
  std::uint32_t bidder;
  std::int64_t amount;
  std::uint64_t version;  // 0: the outcome is unknown.
};

// Sorts by auction, then version, then amount: the order in which histories are compared with them.
void sortForCheck(std::vector<Told>& told);

// Compares the history of one auction, on which nobody else bids, with the answers to bids.
//
// Every accepted bid is there once, with its reported version, amount and bidder.  All other bids
// there are of unknown outcome, each once at most.  Versions have no gaps, and each bid is higher
// than the one before.
class HistoryCheck {
public:
  // The bids in [begin, end) are those on this auction, sorted.  They must outlive this object.
  HistoryCheck(std::string auction, std::string bidderPrefix, const Told* begin, const Told* end);

  // Takes the next version of the history.
  void add(schema::Version::Reader version);
  // There are no more versions.
  void finish();

  const std::vector<std::string>& problems() const { return problems_; }
  std::uint64_t verified() const { return verified_; }
  // Bids of unknown outcome that took effect.
  std::uint64_t appeared() const { return appeared_; }

private:
  std::string auction;
  std::string bidderPrefix;
  const Told* next;  // The first accepted bid that is not found yet.
  const Told* end;
  std::vector<const Told*> unknown;  // Not found yet.
  std::uint64_t lastVersion = 0;
  std::int64_t lastAmount = 0;
  std::uint64_t verified_ = 0;
  std::uint64_t appeared_ = 0;
  std::vector<std::string> problems_;

  bool isOf(const Told& told, schema::Version::Reader version) const;
  void complain(const std::string& what);
  std::string describe(const Told& told) const;
};

// The name of the bidder with that number.
std::string bidderName(const std::string& prefix, std::uint32_t bidder);

}  // namespace gavel::client::cli
