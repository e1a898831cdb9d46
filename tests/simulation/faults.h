#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/cluster.h"
#include "tests/simulation/dice.h"

namespace gavel::simulation {

enum class Fault : unsigned {
  crash,      // A node or master, like SIGKILL.
  powerLoss,  // A node, with what its disk has not synced; nobody is notified.
  outage,     // All nodes at once, and sometimes the masters.
  pause,      // A node or master stands still.  When it goes on, everything arrives at once.
  cutOneWay,  // Between two machines.
  cutBothWays,
  isolation,      // One machine from all others.
  split,          // All machines into two groups.
  cutFromMaster,  // A node from the masters, and nobody else.
  slowLink,
  reset,  // All connections between two machines.
  diskFull,
  syncError,
  diskHang,
  diskCrawl,     // Each sync takes up to some seconds.
  clockStep,     // By up to some hours.
  clocksLeap,    // All clocks, by up to months, and all processes start anew.
  masterStep,    // The master dies in the middle of a decision.
  secondMaster,  // Two at a time.
  largePackets,  // Those above some size vanish between two nodes, one way or both.
  flappingLink,  // Between two nodes, off and on again, many times.
  killTogether,  // All serving members but one, within 50 ms.
  // A total outage, after which a member comes back on an older copy of its directory.  Perhaps an
  // operator goes on from there, though the others have more.
  olderCopy,
};
constexpr unsigned FAULTS = 23;
const char* name(Fault fault);

// Strikes the cluster with faults at times that the seed decides, repairs each after a while, and
// restarts processes that have ended.
//
// Each run has its own kinds of faults, since the effects of one kind are easily hidden by the
// others.  They come in bursts, with time between them for the chain to make progress.
class Faults final {
public:
  Faults(Cluster& cluster, Dice dice);
  KJ_DISALLOW_COPY(Faults);

  // Strikes from now until `end`.
  void begin(Time end);
  // Repairs everything now, and strikes no more.
  void healAll();

  // When all else is repaired: for `duration`, one pair of neighbours in the chain cannot talk to
  // each other, in a way that the seed decides.  Returns what that is; empty: there is no such pair.
  std::string breakLink(Time duration);
  // Likewise: all masters stand still for `duration`.
  void pauseMasters(Time duration);

  // A configuration is about to be stored: a good moment to strike.
  void changed(const Configuration& next);
  // A process begins on a machine.
  void started(Machine& machine);
  // A process has ended: it will be started again at some time.
  void ended(Process& process);
  // Whether an operator may give up what was committed.  Histories are not checked after that.
  bool mayGiveUp = false;
  // Whether a clock is off, or was a moment ago.
  bool clocksOff() const;

  // How often each kind really struck, and what followed.
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

private:
  struct Repair {
    bool done = false;
    std::function<void()> carryOut;
  };

  Cluster& cluster;
  Engine& engine;
  Dice dice;
  std::vector<Fault> kinds;  // Of this run; the more frequent ones are in it several times.
  Time calm;                 // Between bursts, at most.
  Time end = 0 * kj::NANOSECONDS;
  bool healed = false;
  bool flapping = true;  // Links that flap go on to do so.
  // The probability that a configuration under way meets a fault.
  double ambush;
  Time splitUntil = 0 * kj::NANOSECONDS;
  double wipes;  // The probability that a late start has an empty disk.
  std::vector<std::unique_ptr<Repair>> repairs;
  std::vector<const Process*> startedWrong;  // Started while their machine's clock was off.
  SharedConfigStore::Step masterDiesAt = SharedConfigStore::Step::none;
  std::map<std::string, std::uint64_t> counts_;
  std::vector<std::uint64_t> aged;  // Stores in whose place there is an older copy.
  Machine* source = nullptr;        // An operator goes on from it, while the others stay down.
  Time sourceUntil = 0 * kj::NANOSECONDS;
  // In a run of its own kind: the masters' store is lost for good, and is made anew from the nodes'
  // promises.  The old one may be found again, or still run.  It is drawn apart, so that other runs
  // are the same as without this fault.
  Dice lossDice;
  unsigned held = 0;  // So many looks in a row found a member that has promised another master.

  void count(const char* what) { ++counts_[what]; }
  void burst();
  void strike(Fault fault);
  void delayGate(const Configuration& next);
  void outdateGate(const Configuration& next);
  void onceGating(NodeMachine& tail, Time until, std::function<void()> then);
  void strikeMember(std::uint64_t storeId);
  bool tryStrike(Fault fault);
  void repairAfter(Time delay, std::function<void()> repair);
  void startAfter(Machine& machine, Time delay, bool empty);

  bool crash();
  bool powerLoss();
  bool outage();
  bool pause();
  bool cut(bool bothWays);
  bool isolate();
  bool split();
  bool cutFromMaster();
  bool slowLink();
  bool reset();
  bool diskFull();
  bool syncError();
  bool diskHang();
  bool diskCrawl();
  bool stepClock();
  bool leapClocks();
  void setAllClocks(std::int64_t off);
  // An operator who knows the time checks heads that do not believe their clocks.
  void superviseClocks();
  bool secondMaster();
  bool largePackets();
  bool flappingLink();
  void flapJoiner(const Configuration& next);
  bool killTogether();
  bool olderCopy();
  void putBack(NodeMachine& machine, kj::Own<MemoryStore> copy);
  void order(NodeMachine& machine);
  bool heldBack(const Machine& machine) const;
  void replaceAged(NodeMachine& machine);
  void planLoss();
  void awaitLoss();
  bool loseMaster();
  void loseStore();
  void bringBack();
  void superviseRebuild();
  bool isHeldByPromise() const;

  Time shortOrLong(Time longest) { return dice.skewed(20 * kj::MILLISECONDS, longest); }
  void cutFor(Host from, Host to, Time duration);
  void limitFor(Host from, Host to, std::size_t largest, Time duration);
  // Cut for `off`, then healed for `on`, until `until`.
  struct Flap {
    Host from, to;
    bool bothWays;
    Time off, on, until;
  };
  void flap(Flap flap);
  NodeMachine& anyNode() { return *cluster.nodes[dice.below(cluster.nodes.size())]; }
  MasterMachine& anyMaster() { return *cluster.masters[dice.below(cluster.masters.size())]; }
  // Mostly a node.
  Machine& anyMachine();
  Host anyHost();
  bool mayWipe(NodeMachine& machine) const;
};

}  // namespace gavel::simulation
