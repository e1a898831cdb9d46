#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/logging.h"
#include "base/turn-budget.h"
#include "client/client.h"
#include "tests/scenarios/story.h"
#include "tests/scenarios/wiretap.h"
#include "tests/scenarios/words.h"
#include "tests/simulation/config-store.h"
#include "tests/simulation/machine.h"

namespace gavel::scenarios {

// What a scenario begins with.
struct Setting {
  unsigned replicas = 3;
  unsigned nodes = 3;
  unsigned masters = 1;
  simulation::Disk::Settings disk;
  master::Settings master;
  node::NodeOptions node;
  // Of a message between a master and the store that all masters share.
  simulation::Time storeDelay = 20 * kj::MICROSECONDS;

  Setting();
};

// The machines of a scenario, on the simulation of tests/simulation, without chance: each message
// takes 1 ms, each sync 4 ms, and faults are what the scenario says.  n1, n2, … are nodes, m1 and
// m2 masters on one store, and c1 runs a client of the chain.
//
// Tells the story of it: messages as they come to a machine, what becomes of nodes, what the
// masters store.  All methods are called by the scenario, between events.
class World final {
public:
  explicit World(Setting setting);
  ~World() noexcept(false);
  KJ_DISALLOW_COPY(World);

  Story& story() { return story_; }
  void step(std::string_view words) { story_.step(words); }

  // -- time

  // What happens meanwhile is not told.
  void quietly(kj::FunctionParam<void()> happens);

  // Until nothing was told for that long.
  void settle(simulation::Time quiet = 30 * kj::MILLISECONDS);
  void go(simulation::Time duration);
  // Fails if the condition does not come about.
  void until(std::string_view what, kj::FunctionParam<bool()> condition);
  void untilEpoch(std::uint64_t epoch);

  // -- what the scenario does

  // Starts m1 and the nodes, and waits for the chain.
  void form();
  // form(), and an auction by c1, without telling it.
  void prepare();
  // Calls of c1.  Bids are on the only auction, "lamp".
  void create();
  void bid(std::string_view bidder, std::int64_t amount);
  void read(std::string_view node);

  void start(std::string_view machine);
  void kill(std::string_view machine);
  void losePower(std::string_view machine);
  // The store of the masters is gone, for good.  While no master runs.
  void loseStore();
  // No sync ends for so long.
  void hang(std::string_view node, simulation::Time duration);
  void cut(std::string_view from, std::string_view to);
  void heal(std::string_view from, std::string_view to);
  void cutBothWays(std::string_view a, std::string_view b);
  void healBothWays(std::string_view a, std::string_view b);
  // Breaks the connections between them, once.
  void reset(std::string_view a, std::string_view b);

  // -- what it tells besides

  // The newest configuration, and a line for each node.
  void tellEnd();
  // What the master waits for, as its operator sees it.
  void tellNotice(std::string_view master);

  // -- what it sees

  simulation::NodeMachine& node(std::string_view name);
  simulation::MasterMachine& master(std::string_view name);
  // Of the node that runs there; it has to.
  auto& replica(std::string_view name) { return node(name).node()->replica(); }
  std::uint64_t epoch() const { return configStore.current().epoch; }
  // Whether the master hears the node, which acts in the epoch in force.
  bool registered(std::string_view master, std::string_view node);
  simulation::Time now() const { return engine.now(); }
  // How many calls of c1 have ended.
  unsigned ended() const { return ended_; }

private:
  class Program;
  // No work takes any time.
  class NoWork final: public WorkClock {
  public:
    std::int64_t now() const override { return 0; }
  };
  // What was told of a node last.
  struct Seen {
    const node::Node* node = nullptr;
    std::uint64_t epoch = 0;
    bool acting = false;
    std::uint64_t last = 0;
    std::uint64_t durable = 0;
    std::uint64_t commit = 0;
    bool gating = false;
    std::uint64_t committedBefore = 0;  // When it heard of the epoch.
    std::uint64_t epochTold = 0;        // By messages that it has got.
  };

  const Setting setting;
  const NoWork noWork;
  KjLogForwarder libraryLog;
  simulation::Trace trace{simulation::Trace::Detail::events};
  simulation::Engine engine{trace};
  simulation::Wire wire;
  simulation::SharedConfigStore configStore;
  simulation::SharedConfigStore lostStore;
  Story story_{engine};
  Words words;
  Wiretap wiretap;
  std::vector<std::unique_ptr<simulation::NodeMachine>> nodes;
  std::vector<std::unique_ptr<simulation::MasterMachine>> masters;
  std::map<std::string, simulation::Machine*, std::less<>> machines;
  simulation::Host clientHost = 0;
  std::int64_t clientOffset = 0;
  simulation::Process* client = nullptr;
  Program* program = nullptr;
  unsigned ended_ = 0;

  std::map<std::uint64_t, std::string> names;  // By incarnation.
  std::map<std::string, Seen> seen;
  std::deque<std::string> events;  // Logged, and not told yet.
  std::size_t traceRead = 0;
  simulation::Process* asking = nullptr;  // For a swap, which is not done yet.

  simulation::Machine& machine(std::string_view name);
  void startClient();
  void listen();
  void tell(simulation::Host from, simulation::Host to, const Words::Said& said);
  void observe();
  void observeLogs();
  void observe(simulation::NodeMachine& machine);
  void observeStore();
  void inClient(kj::Function<kj::Promise<void>(client::Client&)> call);
};

}  // namespace gavel::scenarios
