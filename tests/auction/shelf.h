#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auction/records.h"

namespace gavel::auction::test {

// A store as the state needs one: records in a map.
class Shelf final: public EndedAuctions {
public:
  std::map<std::string, std::string, std::less<>> records;
  mutable int found = 0;  // How often an auction that was looked for was here.

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

  // All versions of an auction that are here.
  std::vector<Version> history(AuctionId id) const {
    std::vector<Version> versions;
    for (auto i = records.find(versionKey(id, 1));
         i != records.end() && i->first.starts_with(versionKey(id, 0).substr(0, 9)); ++i) {
      versions.push_back(decodeVersion(i->second));
    }
    return versions;
  }
};

}  // namespace gavel::auction::test
