#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schema/auction.capnp.h"

// Whether a chain has kept what it has told `gavel bench`.
namespace gavel::client::cli {

// A bid that the chain has told to be accepted, or of which nobody knows.
struct Told {
  std::uint32_t auction;
  std::uint32_t bidder;
  std::int64_t amount;
  std::uint64_t version;  // 0: the outcome is unknown.
};

// By auction, then version, then amount: the order in which histories are compared with them.
void sortForCheck(std::vector<Told>& told);

// Compares the history of one auction, which nobody else bids on, with what was told of it.
//
// Every accepted bid is there once, as the version that was told, with its amount and bidder; what
// else is there are bids whose outcome is unknown, each once at most; versions have no gaps, and
// each bid is higher than the one before.
class HistoryCheck {
public:
  // Those from `begin` to `end` are of this auction, and sorted.  They must outlive this.
  HistoryCheck(std::string auction, std::string bidderPrefix, const Told* begin, const Told* end);

  // The next version of the history.
  void add(schema::Version::Reader version);
  // There are no more.
  void finish();

  const std::vector<std::string>& problems() const { return problems_; }
  std::uint64_t verified() const { return verified_; }
  // Bids of unknown outcome that took effect.
  std::uint64_t appeared() const { return appeared_; }

private:
  std::string auction;
  std::string bidderPrefix;
  const Told* next;  // Accepted, and not found yet.
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

// The name of the bidder of that number.
std::string bidderName(const std::string& prefix, std::uint32_t bidder);

}  // namespace gavel::client::cli
