#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/client.h"
#include "tests/history/history.h"
#include "tests/simulation/dice.h"

namespace gavel::simulation {

// Watches all auctions at one node, and stays there whatever happens to it: a client that changed
// to another node would not see what this one forgets to tell when it leaves the chain, drops a
// part of its log and joins again.  At times it looks elsewhere for seconds, so that much of what
// it asks for is from before the node left.
//
// Checks that of each auction all versions are told, each once and in order, but where a gap is
// told; and in the end that nothing is missing up to the position it was told.
class Resident final: private kj::TaskSet::ErrorHandler {
public:
  // References must outlive this object.  `node` is an address.
  Resident(client::Client& client, kj::Timer& timer, std::string node, Dice dice);
  KJ_DISALLOW_COPY(Resident);

  // Throws what is not as it should be.
  void compare(const std::vector<history::FinalHistory>& finals) const;

private:
  struct Told {
    std::map<std::uint64_t, history::Version> versions;
    bool gap = false;  // Since the last one.
  };

  client::Client& client;
  kj::Timer& timer;
  const std::string node;
  Dice dice;
  std::uint64_t position = 0;
  std::uint64_t lastGap = 0;  // Nothing up to here need have been told.
  std::map<std::string, Told> byAuction;
  std::string failure;
  kj::TaskSet tasks;

  kj::Promise<void> watch();
  kj::Promise<void> ask();
  void take(schema::Changes::Reader page);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::simulation
