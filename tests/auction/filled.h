#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "tests/auction/log.h"
#include "tests/auction/shelf.h"

// For the tests of records: a state with something of each kind, and ways to damage it.
namespace gavel::auction::test {

inline void fill(Log& log) {
  Terms soft = plainTerms();
  soft.startingPrice = 5;
  soft.reserve = 1000;
  soft.increment = {Increment::Kind::percent, 500};
  soft.softClose = {100, 200, 3000};
  log.apply(create("lamp", soft));
  log.apply(create("vase"));
  log.apply(create("chair"));
  log.apply(bid("vase", "ann", 100));
  log.apply(bid("lamp", "bob", 50));
  log.apply(bid("nothing", "cid", 50));
  log.applyAt(1500, CancelAuction{"chair", identity("owner")});
  log.openSession();
  log.applyAt(1950, bid("lamp", "ann", 60));
  log.apply(bid("lamp", "ann", 61));
  log.apply(log.request(bid("vase", "bob", 200), {log.session, 30, 4}));
  log.sequence = 30;
  log.closeExpired(2000);
}

inline Shelf filledShelf() {
  Log log;
  fill(log);
  return Shelf(log.state.capture());
}

inline std::string framed(const Shelf& shelf) {
  std::string bytes;
  RecordWriter writer(bytes);
  for (const auto& [key, value]: shelf.records) writer.put(key, value);
  return bytes;
}

// Changes some of `bytes`, differently for each seed.
inline std::string damage(std::string bytes, std::uint32_t seed) {
  std::mt19937 random(seed);
  for (auto count = random() % 8 + 1; count > 0 && !bytes.empty(); --count) {
    const std::size_t at = random() % bytes.size();
    switch (random() % 4) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes.erase(at, random() % 20);
        break;
      case 2:
        bytes.insert(at, random() % 20, static_cast<char>(random()));
        break;
      case 3:  // Wrong lengths and counts.
        bytes.replace(at, 8, 8, static_cast<char>(random() % 2 ? 0xff : 0x7f));
        break;
    }
  }
  return bytes;
}

}  // namespace gavel::auction::test
