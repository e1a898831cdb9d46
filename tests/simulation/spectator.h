#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/watch.h"
#include "tests/history/history.h"
#include "tests/simulation/dice.h"

namespace gavel::simulation {

// Watches all auctions together, and some of them alone, and checks what is reported.  Of one
// auction that is all versions, each once and in order.  Of all auctions it is the same, except
// where a gap is reported.
class Spectator final: private kj::TaskSet::ErrorHandler {
public:
  // References must outlive this object.
  Spectator(client::Client& client, kj::Timer& timer, Random& random, Dice dice);
  KJ_DISALLOW_COPY(Spectator);

  // Resolves when everything in `finals` was reported to it.  Rejects with what is wrong.
  kj::Promise<void> settle(const std::vector<history::FinalHistory>& finals);

private:
  // What one watch has reported of one auction.
  struct Told {
    std::map<std::uint64_t, history::Version> versions;
    bool gap = false;                             // Since the last version.
    std::unique_ptr<client::AuctionWatch> watch;  // Of this auction alone.
  };

  kj::Timer& timer;
  client::Client& client;
  Random& random;
  Dice dice;
  client::Patience patience;
  client::ChainWatch all;
  std::map<std::string, Told> byAll;
  std::map<std::string, Told> byOne;
  bool anyGap = false;
  std::string failure;
  kj::TaskSet tasks;

  kj::Promise<void> watchAll();
  kj::Promise<void> watchOne(const std::string& auction, Told& told);
  void take(const std::string& auction, Told& told, schema::Version::Reader version);
  bool complete(const std::vector<history::FinalHistory>& finals) const;
  void compare(const std::vector<history::FinalHistory>& finals);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::simulation
