#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/history/history.h"

namespace gavel::history::test {

// The auction service again, as plain as possible and apart from the checker.  It executes one
// operation at a time.
class Service {
public:
  struct Lot {
    Terms terms;
    std::string owner;
    std::int64_t created = 0;
    std::int64_t deadline = 0;
    std::int64_t highest = 0;
    std::string leader;
    bool open = true;
    std::vector<Version> versions;

    bool accepts(std::int64_t amount) const;
    std::int64_t lowestAccepted() const;
  };

  std::map<std::string, Lot> lots;

  // Returns the outcome if the entry in the log has this index and stamp.  They do not matter for
  // an answer that changes nothing.  `unexpected`: an entry with that stamp would have found the
  // auction ended by itself.
  Outcome execute(const Operation& operation, std::uint64_t index, std::int64_t stamp);
  // Ends it because its deadline has passed.  Returns false if it has not.
  bool endBySelf(const std::string& auction, std::uint64_t index, std::int64_t stamp);

private:
  Outcome create(const Operation& operation, std::uint64_t index, std::int64_t stamp);
  Outcome bid(Lot& lot, const Operation& operation, std::uint64_t index, std::int64_t stamp);
  Outcome end(Lot& lot, const Operation& operation, std::uint64_t index, std::int64_t stamp);
  static Outcome view(const Lot& lot, std::uint64_t index);
  static Outcome accept(Lot& lot, Version::Kind kind, const std::string& who, std::int64_t amount,
                        std::uint64_t index, std::int64_t stamp);
  static Outcome close(Lot& lot, std::uint64_t index, std::int64_t stamp);
};

}  // namespace gavel::history::test
