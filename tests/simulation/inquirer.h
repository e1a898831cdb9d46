#pragma once

#include <string>
#include <vector>

#include <kj/timer.h>

#include "client/client.h"
#include "tests/history/history.h"
#include "tests/simulation/dice.h"

namespace gavel::simulation {

// Asks any node how an auction stands, whether it seems to be a member or not, and records the
// answers.  Nodes that do not know that they are removed could give old answers.
class Inquirer final: private kj::TaskSet::ErrorHandler {
public:
  struct Settings {
    std::uint32_t number = 0;        // The number of the client in the history.
    std::vector<std::string> nodes;  // Addresses.
    kj::Duration thinkAtMost = 200 * kj::MILLISECONDS;
  };

  // All must outlive this object.
  Inquirer(client::Client& client, kj::Timer& timer, history::History& history, Dice dice,
           Settings settings);
  KJ_DISALLOW_COPY(Inquirer);

  // Asks until stop().  Resolves when no answer is awaited any more.
  kj::Promise<void> run();
  void stop() { running = false; }

private:
  client::Client& client;
  kj::Timer& timer;
  history::History& history;
  Dice dice;
  Settings settings;
  std::vector<unsigned> underWay;  // By node.
  bool running = true;
  kj::TaskSet tasks;

  std::int64_t now() {
    return history.moment((timer.now() - kj::origin<kj::TimePoint>()) / kj::NANOSECONDS);
  }
  kj::Promise<void> ask(const std::string& node);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::simulation
