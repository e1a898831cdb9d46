#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/client.h"
#include "tests/history/history.h"
#include "tests/simulation/dice.h"

namespace gavel::simulation {

// Watches all auctions at one node, and stays there whatever happens to the node.  A client that
// changes to another node would not notice what this node forgets to report when it leaves the
// chain, drops a part of its log and joins again.  Now and then it pauses for seconds, so that much
// of what it asks for is from before the node left.
//
// Checks that all versions of each auction are reported, each once and in order, except where a gap
// is reported.  In the end it checks that nothing is missing up to the reported position.
class Resident final: private kj::TaskSet::ErrorHandler {
public:
  // References must outlive this object.  `node` is an address.
  Resident(client::Client& client, kj::Timer& timer, std::string node, Dice dice);
  KJ_DISALLOW_COPY(Resident);

  // Throws what is wrong.
  void compare(const std::vector<history::FinalHistory>& finals) const;

private:
  struct Told {
    std::map<std::uint64_t, history::Version> versions;
    bool gap = false;  // Since the last version.
  };

  client::Client& client;
  kj::Timer& timer;
  const std::string node;
  Dice dice;
  std::uint64_t position = 0;
  std::uint64_t lastGap = 0;  // Versions up to here may be missing.
  std::map<std::string, Told> byAuction;
  std::string failure;
  kj::TaskSet tasks;

  kj::Promise<void> watch();
  kj::Promise<void> ask();
  void take(schema::Changes::Reader page);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::simulation
