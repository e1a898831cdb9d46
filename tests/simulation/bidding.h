#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "tests/history/bidders.h"
#include "tests/simulation/engine.h"
#include "tests/simulation/wire.h"

namespace gavel::simulation {

// All bidders, and those who only query: one process with several clients of the chain.  For the
// network, each client is on a machine of its own.  The process never dies.
class Bidding final {
public:
  struct Settings {
    unsigned hosts = 3;
    unsigned clients = 6;  // One bidder each.
    unsigned inquirers = 2;
    kj::Duration inquirersThinkAtMost = 200 * kj::MILLISECONDS;
    std::vector<std::string> nodes;  // The nodes that inquirers ask.
    history::Bidders::Options bidders;
    client::Client::Limits limits;
    std::vector<std::string> seeds;  // Addresses of nodes and masters.
  };
  enum class Phase { bidding, stopping, stopped, reading, done, failed };

  Bidding(Engine& engine, Wire& wire, Dice dice, Settings settings);
  KJ_DISALLOW_COPY(Bidding);

  // To be called from events of the world.
  void start();
  // Makes no new operations; those under way go on to their end.
  void stop();
  // Reads the final histories.  Only once `stopped`.
  void readFinals();

  Phase phase() const { return phase_; }
  // Why it has failed.
  const std::string& problem() const { return problem_; }
  const history::History& history() const { return history_; }
  const history::Bidders::Counts& counts() const;
  const std::vector<Host>& hosts() const { return hosts_; }

private:
  class Program;

  Engine& engine;
  Wire& wire;
  Dice dice;
  Settings settings;
  std::int64_t wallOffset = 0;
  std::vector<Host> hosts_;
  history::History history_;
  Phase phase_ = Phase::bidding;
  std::string problem_;
  Process* process = nullptr;
  Program* program = nullptr;

  void fail(kj::Exception&& exception);
};

}  // namespace gavel::simulation
