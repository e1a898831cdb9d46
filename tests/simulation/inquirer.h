#pragma once

#include <string>
#include <vector>

#include <kj/timer.h>

#include "client/client.h"
#include "tests/history/history.h"
#include "tests/simulation/dice.h"

namespace gavel::simulation {

// Asks any node how an auction stands, be it a member or not as far as anybody knows, and records
// what it is told: nodes that do not know that they are out are who could tell something old.
class Inquirer final: private kj::TaskSet::ErrorHandler {
public:
  struct Settings {
    std::uint32_t number = 0;        // Of the client, in the history.
    std::vector<std::string> nodes;  // Addresses.
    kj::Duration thinkAtMost = 200 * kj::MILLISECONDS;
  };

  // All must outlive this object.
  Inquirer(client::Client& client, kj::Timer& timer, history::History& history, Dice dice,
           Settings settings);
  KJ_DISALLOW_COPY(Inquirer);

  // Asks until stop(), and resolves when the last answer has come, or will not.
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
