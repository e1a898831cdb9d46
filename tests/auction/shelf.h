#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auction/records.h"

namespace gavel::auction::test {

// The store that a state needs: records in a map.
class Shelf final: public EndedAuctions {
public:
  std::map<std::string, std::string, std::less<>> records;
  mutable int found = 0;  // How many searches for an auction have found it here.

  Shelf() = default;
  explicit Shelf(const Changes& changes) { put(changes); }

  void put(const Changes& changes) { put(std::string_view(changes.records)); }
  void put(std::string_view framed) {
    RecordReader reader(framed);
    while (const auto record = reader.next()) {
      if (record->value) {
        records.insert_or_assign(std::string(record->key), std::string(*record->value));
      } else {
        records.erase(std::string(record->key));
      }
    }
  }

  std::optional<Auction> find(std::string_view name) const override {
    const auto named = records.find(nameKey(name));
    if (named == records.end()) return std::nullopt;
    const auto ended = records.find(endedKey(decodeName(named->second)));
    if (ended == records.end()) return std::nullopt;
    found += 1;
    return decodeAuction(ended->second);
  }

  State load() const {
    Loader loader;
    for (const auto& [key, value]: records) loader.add(key, value);
    return loader.finish(*this);
  }

  // The records, with each version in one of its own.  Which versions share a record depends on
  // when they were captured.
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> apart;
    for (const auto& [key, value]: records) {
      if (kindOf(key) != RecordKind::versions) {
        apart.emplace(key, value);
        continue;
      }
      const std::vector<Version> versions = historyApart(idOf(key));
      for (std::uint64_t number = 1; number <= versions.size(); ++number) {
        std::string one;
        encode(std::span<const Version>(&versions[number - 1], 1), one);
        apart.insert_or_assign(versionsKey(idOf(key), number), one);
      }
    }
    return apart;
  }

  // All versions of an auction that are here, also those in the auction's own record.
  std::vector<Version> history(AuctionId id) const {
    std::vector<Version> versions = historyApart(id);
    if (const auto open = records.find(auctionKey(id)); open != records.end()) {
      const Auction auction = decodeAuction(open->second);
      versions.insert(versions.end(), auction.history.begin(), auction.history.end());
    }
    return versions;
  }
  std::vector<Version> historyApart(AuctionId id) const {
    VersionsPage page(id, 1, std::numeric_limits<std::uint64_t>::max());
    auto record = records.lower_bound(page.firstKey());
    while (record != records.end() && page.add(record->first, record->second)) ++record;
    return page.versions();
  }
};

}  // namespace gavel::auction::test
