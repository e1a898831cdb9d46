#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "auction/command.h"
#include "auction/outcome.h"

// The rules again, as plain as possible and apart from the code under test.  It searches lists, and
// finds the next valid amount by trying.  It uses only the inputs and outputs of a State: commands
// and outcomes.
namespace gavel::auction::test {

class Model {
public:
  struct Prediction {
    Outcome outcome;  // As apply() returns it.
    bool log = true;
    std::uint64_t basis = 0;
    bool retry = false;
  };

  struct Lot {
    std::uint64_t id = 0;
    std::string name, owner;
    Stamp created = 0, deadline = 0, hardEnd = 0;
    Amount startingPrice = 0, reserve = 0;
    Increment increment;
    Nanoseconds window = 0, extension = 0;
    std::string phase = "open";
    std::vector<std::pair<Amount, std::string>> bids;  // Accepted, with the bidder.
    std::uint64_t versions = 1;

    bool accepts(Amount amount) const;
    Amount lowestAccepted() const;
    bool sold() const;
    void end();
  };

  struct Record {
    std::string payload;
    Outcome outcome;
  };
  struct Client {
    Stamp lastUsed = 0;
    std::uint64_t lastEntry = 0;
    std::uint64_t lowestIncomplete = 1;
    std::map<std::uint64_t, Record> records;
  };

  std::vector<Lot> lots;
  std::vector<std::pair<std::string, CredentialHash>> names;  // In order of registration.
  std::map<std::uint64_t, Client> clients;
  std::uint64_t lastIndex = 0;

  // Applies the next entry.
  Prediction apply(const Entry& entry);

private:
  // These judge and execute the commands of clients.  `log`: whether the outcome needs the log.
  Outcome run(const Entry& entry, const Bid& bid, bool& log);
  Outcome run(const Entry& entry, const CreateAuction& create, bool& log);
  Outcome runEnd(const Entry& entry, std::string_view auction, const Identity& owner,
                 const char* phase, bool& log);

  void expireSessions(const ExpireSessions& expire);
  Lot* findLot(std::string_view name);
  const CredentialHash* findName(std::string_view name) const;
};

}  // namespace gavel::auction::test
