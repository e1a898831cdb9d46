#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/bidding.h"
#include "tests/simulation/config-store.h"
#include "tests/simulation/engine.h"
#include "tests/simulation/machine.h"
#include "tests/simulation/wire.h"

namespace gavel::simulation {

// The duration of work (R16): from look to look at the clock, `perLook` passes.
class Toil final: public WorkClock {
public:
  explicit Toil(Time perLook): perLook(perLook) {}
  std::int64_t now() const override { return done += perLook / kj::NANOSECONDS; }

private:
  Time perLook;
  mutable std::int64_t done = 0;
};

// The settings of a cluster, all drawn from the seed.
struct Plan {
  unsigned replicas = 3;
  unsigned nodes = 4;  // Including spares.
  unsigned masters = 2;
  master::Settings master;
  Time longestStoreDelay = 5 * kj::MILLISECONDS;  // Of the masters' store.
  node::NodeOptions node;
  Time workPerLook = 0 * kj::SECONDS;
  Disk::Settings disk;
  Bidding::Settings bidding;
  // By how much all clocks are off at the start, in ns, until somebody sees it.
  std::int64_t clocksOffAtStart = 0;

  static Plan draw(Dice& dice);
  // A few words for the trace.
  std::string describe() const;
};

// All machines of a run: n1, n2, … with nodes, m1 and m2 with masters on one store, c1, c2, … with
// bidders.  At the start only m1 of the masters runs.
class Cluster final {
public:
  Cluster(Trace& trace, Dice& dice, Plan plan);
  ~Cluster() noexcept(false);
  KJ_DISALLOW_COPY(Cluster);

  const Plan plan;
  const Toil toil;
  Engine engine;
  Wire wire;
  SharedConfigStore configStore;
  // The contents of the masters' store before it was lost, if it was: a master may still run on it.
  SharedConfigStore lostStore;
  std::vector<std::unique_ptr<NodeMachine>> nodes;
  std::vector<std::unique_ptr<MasterMachine>> masters;
  std::unique_ptr<Bidding> bidding;

  // Starts m1, all nodes and the bidders.
  void start();

  // Whether as many members serve as there should be, all act in the stored configuration, and
  // nobody joins.
  bool whole() const;
  // The nodes of members, serving and syncing, that act in the stored configuration.
  std::vector<node::Node*> actingMembers() const;
  // The node of this process; null if it has none.
  NodeMachine* nodeOf(const Process& process);
  // Null if no machine's directory has it any more.
  NodeMachine* nodeWithStore(std::uint64_t storeId);

  // Whether each configuration that may be in force, now or once the store has what masters sent,
  // has a serving member whose directory exists and is none of `stores`.
  bool othersServe(const std::vector<std::uint64_t>& stores);

  std::string describe() const;
};

}  // namespace gavel::simulation
