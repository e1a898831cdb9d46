#include "tests/simulation/faults.h"

#include <algorithm>
#include <fmt/format.h>

#include <kj/debug.h>

namespace gavel::simulation {
namespace {

constexpr auto HOUR = 3600 * kj::SECONDS;

// Relative to each other, in a run that has them.
unsigned weight(Fault fault) {
  switch (fault) {
    case Fault::crash:
    case Fault::powerLoss:
    case Fault::pause:
    case Fault::cutBothWays:
      return 4;
    case Fault::cutOneWay:
    case Fault::cutFromMaster:
    case Fault::slowLink:
    case Fault::reset:
    case Fault::masterStep:
      return 3;
    case Fault::isolation:
    case Fault::split:
    case Fault::secondMaster:
      return 2;
    case Fault::outage:
    case Fault::diskFull:
    case Fault::syncError:
    case Fault::diskHang:
    case Fault::clockStep:
      return 1;
  }
  KJ_UNREACHABLE;
}

}  // namespace

const char* name(Fault fault) {
  constexpr const char* NAMES[FAULTS] = {
      "crash",      "power loss", "total outage",    "pause",       "one-way cut",  "two-way cut",
      "isolation",  "split",      "cut from master", "slow link",   "reset",        "disk full",
      "sync error", "disk hang",  "clock step",      "master step", "second master"};
  return NAMES[static_cast<unsigned>(fault)];
}

Faults::Faults(Cluster& cluster, Dice faultDice)
    : cluster(cluster),
      engine(cluster.engine),
      dice(faultDice),
      calm(dice.skewed(300 * kj::MILLISECONDS, 4 * kj::SECONDS)),
      ambush(dice.chance(0.4)   ? 0
             : dice.chance(0.5) ? 0.3
                                : 0.7),
      wipes(dice.chance(0.5) ? 0.3 : 0) {
  // All kinds, some, or few.
  constexpr double SHARES[] = {1, 0.4, 0.4, 0.12, 0.12};
  auto share = SHARES[dice.below(kj::size(SHARES))];
  while (kinds.empty()) {
    for (unsigned i = 0; i < FAULTS; ++i) {
      auto fault = static_cast<Fault>(i);
      if (!dice.chance(share)) continue;
      for (unsigned n = 0; n < weight(fault); ++n) kinds.push_back(fault);
    }
  }
  for (auto& node: cluster.nodes) {
    node->disk().onStruck = [this](const char* what) { count(what); };
  }
  cluster.configStore.onStep = [this](SharedConfigStore::Step step, Process& process) {
    if (step != masterDiesAt) return;
    masterDiesAt = SharedConfigStore::Step::none;
    count(name(Fault::masterStep));
    engine.kill(process, fmt::format("in the middle of a decision: {}", static_cast<int>(step)));
  };
}

void Faults::begin(Time lastStrike) {
  end = lastStrike;
  engine.after(dice.between(0 * kj::SECONDS, calm), [this]() { burst(); });
}

void Faults::burst() {
  if (healed || engine.now() >= end) return;
  auto strikes = dice.chance(0.4) ? 1 : dice.between(2, 5);
  auto at = 0 * kj::NANOSECONDS;
  for (int i = 0; i < strikes; ++i) {
    auto fault = kinds[dice.below(kinds.size())];
    engine.after(at, [this, fault]() { strike(fault); });
    at += dice.skewed(100 * kj::MICROSECONDS, 500 * kj::MILLISECONDS);
  }
  engine.after(at + dice.between(calm / 10, calm), [this]() { burst(); });
}

// What a re-link or a join leaves open for a moment is seldom hit by chance.
void Faults::changed(const master::Configuration& next) {
  if (healed || engine.now() >= end || !dice.chance(ambush)) return;
  if (next.joiner() != nullptr && dice.chance(0.4)) delayGate(next);
  auto victim = next.members[dice.below(next.members.size())].storeId;
  engine.after(dice.skewed(200 * kj::MICROSECONDS, 150 * kj::MILLISECONDS), [this, victim]() {
    if (dice.chance(0.5)) {
      strikeMember(victim);
    } else {
      strike(kinds[dice.below(kinds.size())]);
    }
  });
}

// The tail's word that it gates comes late: perhaps into another epoch.
void Faults::delayGate(const master::Configuration& next) {
  auto* tail = cluster.nodeWithStore(next.tail()->storeId);
  if (tail == nullptr) return;
  auto extra = dice.skewed(20 * kj::MILLISECONDS, 400 * kj::MILLISECONDS);
  count(name(Fault::slowLink));
  auto set = [this, host = tail->host()](Time value) {
    for (auto& master: cluster.masters) cluster.wire.slow(host, master->host(), value);
  };
  set(extra);
  repairAfter(1 * kj::SECONDS, [set]() { set(0 * kj::NANOSECONDS); });
}

// Ends that process, if it runs.
void Faults::strikeMember(std::uint64_t storeId) {
  auto* machine = cluster.nodeWithStore(storeId);
  bool power = dice.chance(0.5);
  auto fault = power ? Fault::powerLoss : Fault::crash;
  if (healed || machine == nullptr || !machine->runs()) return;
  count(name(fault));
  if (power) {
    machine->losePower();
  } else {
    machine->kill("crash");
  }
}

void Faults::strike(Fault fault) {
  if (healed) return;
  if (tryStrike(fault)) count(name(fault));
}

// Returns whether it struck at once; what strikes later is counted then.
bool Faults::tryStrike(Fault fault) {
  switch (fault) {
    case Fault::crash:
      return crash();
    case Fault::powerLoss:
      return powerLoss();
    case Fault::outage:
      return outage();
    case Fault::pause:
      return pause();
    case Fault::cutOneWay:
      return cut(false);
    case Fault::cutBothWays:
      return cut(true);
    case Fault::isolation:
      return isolate();
    case Fault::split:
      return split();
    case Fault::cutFromMaster:
      return cutFromMaster();
    case Fault::slowLink:
      return slowLink();
    case Fault::reset:
      return reset();
    case Fault::diskFull:
      return diskFull();
    case Fault::syncError:
      return syncError();
    case Fault::diskHang:
      return diskHang();
    case Fault::clockStep:
      return stepClock();
    case Fault::masterStep:
      masterDiesAt = static_cast<SharedConfigStore::Step>(dice.between(1, 4));
      return false;
    case Fault::secondMaster:
      return secondMaster();
  }
  KJ_UNREACHABLE;
}

// -- repairing

void Faults::repairAfter(Time delay, std::function<void()> carryOut) {
  repairs.push_back(std::make_unique<Repair>());
  auto& repair = *repairs.back();
  repair.carryOut = std::move(carryOut);
  engine.after(delay, [&repair]() {
    if (repair.done) return;
    repair.done = true;
    repair.carryOut();
  });
}

void Faults::healAll() {
  healed = true;
  masterDiesAt = SharedConfigStore::Step::none;
  engine.note("all is repaired");
  // By index: a repair may add one, for what it ends.
  for (std::size_t i = 0; i < repairs.size(); ++i) {
    if (repairs[i]->done) continue;
    repairs[i]->done = true;
    repairs[i]->carryOut();
  }
  // Who was started with a wrong clock goes by it until it is restarted.
  for (auto& machine: cluster.nodes) {
    if (machine->runs() && std::find(startedWrong.begin(), startedWrong.end(),
                                     &machine->process()) != startedWrong.end()) {
      machine->kill("its clock was wrong when it was started");
    }
  }
}

void Faults::started(Machine& machine) {
  if (machine.wallOffset != 0) startedWrong.push_back(&machine.process());
}

bool Faults::clocksOff() const {
  for (auto& each: cluster.nodes) {
    if (each->wallOffset != 0) return true;
  }
  for (auto& each: cluster.masters) {
    if (each->wallOffset != 0) return true;
  }
  return false;
}

bool Faults::mayWipe(NodeMachine& machine) const {
  // What only a serving member holds must not be lost for ever: that is more than is promised.
  // A master may be about to form the chain of a node that has just died: until there is a chain,
  // each may be its only member.
  auto& members = cluster.configStore.current().members;
  if (members.empty()) return false;
  auto store = machine.disk().store().recovered().storeId;
  for (auto& member: members) {
    if (member.storeId == store) return false;
  }
  return true;
}

void Faults::startAfter(Machine& machine, Time delay, bool empty) {
  repairAfter(delay, [this, &machine, empty]() {
    if (machine.runs()) return;
    for (auto& node: cluster.nodes) {
      if (node.get() != &machine || !empty || !mayWipe(*node)) continue;
      count("empty disk");
      engine.note(machine.name() + " gets an empty disk");
      node->disk().wipe();
    }
    machine.start();
    started(machine);
  });
}

void Faults::ended(Process& process) {
  auto delay = 0 * kj::NANOSECONDS;
  switch (dice.below(5)) {
    case 0:
      delay = dice.skewed(100 * kj::MICROSECONDS, 5 * kj::MILLISECONDS);
      break;
    case 1:
    case 2:
      delay = dice.skewed(5 * kj::MILLISECONDS, 500 * kj::MILLISECONDS);
      break;
    default:
      delay = dice.skewed(200 * kj::MILLISECONDS, 6 * kj::SECONDS);
  }
  if (healed) delay = 20 * kj::MILLISECONDS;
  if (auto* node = cluster.nodeOf(process)) {
    startAfter(*node, delay, !healed && dice.chance(wipes));
    return;
  }
  for (auto& master: cluster.masters) {
    if (!master->is(process)) continue;
    bool another = std::any_of(cluster.masters.begin(), cluster.masters.end(),
                               [](auto& each) { return each->runs(); });
    // Or whichever of them takes its place.
    auto& next = *cluster.masters[dice.below(cluster.masters.size())];
    if (!another) startAfter(dice.chance(0.7) ? *master : next, delay, false);
  }
}

// -- faults

Machine& Faults::anyMachine() {
  if (dice.chance(0.8)) return anyNode();
  return anyMaster();
}

Host Faults::anyHost() {
  if (dice.chance(0.15)) {
    return cluster.bidding->hosts()[dice.below(cluster.bidding->hosts().size())];
  }
  return anyMachine().host();
}

bool Faults::crash() {
  auto& machine = anyMachine();
  if (!machine.runs()) return false;
  machine.kill("crash");
  return true;
}

bool Faults::powerLoss() {
  auto& machine = anyNode();
  if (!machine.runs()) return false;
  machine.losePower();
  return true;
}

bool Faults::outage() {
  bool power = dice.chance(0.6);
  bool mastersToo = dice.chance(0.3);
  bool any = false;
  auto end = [&](Machine& machine) {
    if (!machine.runs()) return;
    any = true;
    if (power) {
      machine.losePower();
    } else {
      machine.kill("total outage");
    }
  };
  for (auto& node: cluster.nodes) end(*node);
  if (mastersToo) {
    for (auto& master: cluster.masters) end(*master);
  }
  return any;
}

bool Faults::pause() {
  auto& machine = anyMachine();
  if (!machine.runs() || machine.paused()) return false;
  auto& process = machine.process();
  engine.note("pausing " + machine.name());
  machine.pause();
  repairAfter(shortOrLong(8 * kj::SECONDS), [this, &machine, &process]() {
    if (!machine.is(process) || !machine.paused()) return;
    engine.note(machine.name() + " goes on");
    machine.resume();
  });
  return true;
}

void Faults::cutFor(Host from, Host to, Time duration) {
  auto& wire = cluster.wire;
  wire.cut(from, to);
  engine.note(fmt::format("cut {} > {}", wire.name(from), wire.name(to)));
  repairAfter(duration, [this, &wire, from, to]() {
    engine.note(fmt::format("healed {} > {}", wire.name(from), wire.name(to)));
    wire.heal(from, to);
  });
}

bool Faults::cut(bool bothWays) {
  auto a = anyHost();
  auto b = anyHost();
  if (a == b) return false;
  auto duration = shortOrLong(8 * kj::SECONDS);
  cutFor(a, b, duration);
  if (bothWays) cutFor(b, a, duration);
  return true;
}

bool Faults::isolate() {
  auto host = anyMachine().host();
  auto duration = shortOrLong(6 * kj::SECONDS);
  // Bidders may still reach it: they are whom it could tell something wrong.
  bool butBidders = dice.chance(0.5);
  bool in = dice.chance(0.8);
  bool out = !in || dice.chance(0.8);
  auto& bidders = cluster.bidding->hosts();
  for (Host other = 0; other < cluster.wire.hostCount(); ++other) {
    bool bidder = std::find(bidders.begin(), bidders.end(), other) != bidders.end();
    if (other == host || (bidder && butBidders)) continue;
    if (in) cutFor(other, host, duration);
    if (out) cutFor(host, other, duration);
  }
  return true;
}

bool Faults::split() {
  // Two at a time leave no part that can go on.
  if (engine.now() < splitUntil) return false;
  // Mostly long enough for one part to go on without the other.
  auto duration = dice.skewed(800 * kj::MILLISECONDS, 8 * kj::SECONDS);
  splitUntil = engine.now() + 2 * duration;
  std::vector<std::uint64_t> side(cluster.wire.hostCount());
  for (auto& each: side) each = dice.below(2);
  // Those at the head go on with the masters, while those behind them still have each other.
  auto& members = cluster.configStore.current().members;
  auto before = members.size() < 2 ? members.size() : 1 + dice.below(members.size() - 1);
  for (auto& master: cluster.masters) {
    if (dice.chance(0.7)) side[master->host()] = 1;
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    auto* machine = cluster.nodeWithStore(members[i].storeId);
    if (machine != nullptr && dice.chance(0.9)) side[machine->host()] = i < before;
  }
  std::vector<Host> groups[2];
  for (Host host = 0; host < side.size(); ++host) groups[side[host]].push_back(host);
  for (auto a: groups[0]) {
    for (auto b: groups[1]) {
      cutFor(a, b, duration);
      cutFor(b, a, duration);
    }
  }
  return true;
}

bool Faults::cutFromMaster() {
  auto host = anyNode().host();
  auto duration = shortOrLong(8 * kj::SECONDS);
  auto ways = dice.below(3);
  for (auto& master: cluster.masters) {
    if (ways != 0) cutFor(host, master->host(), duration);
    if (ways != 1) cutFor(master->host(), host, duration);
  }
  return true;
}

bool Faults::slowLink() {
  auto a = anyHost();
  auto b = dice.chance(0.3) ? anyMaster().host() : anyHost();
  if (a == b) return false;
  auto extra = dice.skewed(2 * kj::MILLISECONDS, 700 * kj::MILLISECONDS);
  auto& wire = cluster.wire;
  bool bothWays = dice.chance(0.5);
  auto set = [&wire, a, b, bothWays](Time value) {
    wire.slow(a, b, value);
    if (bothWays) wire.slow(b, a, value);
  };
  engine.note(
      fmt::format("{} > {} is slow: {} ms", wire.name(a), wire.name(b), extra / kj::MILLISECONDS));
  set(extra);
  repairAfter(shortOrLong(8 * kj::SECONDS), [set]() { set(0 * kj::NANOSECONDS); });
  return true;
}

bool Faults::reset() {
  auto a = anyHost();
  auto b = anyHost();
  if (a == b) return false;
  engine.note(fmt::format("resetting {} - {}", cluster.wire.name(a), cluster.wire.name(b)));
  return cluster.wire.reset(a, b) > 0;
}

// The disk tells when it has struck.
bool Faults::diskFull() {
  auto& machine = anyNode();
  machine.disk().setFull(true);
  repairAfter(shortOrLong(4 * kj::SECONDS), [&machine]() { machine.disk().setFull(false); });
  return false;
}

bool Faults::syncError() {
  anyNode().disk().failNextSync();
  return false;
}

bool Faults::diskHang() {
  auto& machine = anyNode();
  auto duration = dice.skewed(50 * kj::MILLISECONDS, 15 * kj::SECONDS);
  machine.disk().hang(engine.now() + duration);
  return false;
}

bool Faults::stepClock() {
  auto& machine = anyMachine();
  if (machine.wallOffset != 0) return false;
  auto step = dice.skewed(100 * kj::MILLISECONDS, 8 * HOUR) / kj::NANOSECONDS;
  machine.wallOffset = dice.chance(0.5) ? step : -step;
  engine.note(
      fmt::format("clock of {} is off by {} ms", machine.name(), machine.wallOffset / 1'000'000));
  // A node that is still opening its store has yet to look at its clock.
  for (auto& node: cluster.nodes) {
    if (node.get() == &machine && node->runs() && node->node() == nullptr) {
      startedWrong.push_back(&node->process());
    }
  }
  repairAfter(shortOrLong(8 * kj::SECONDS), [this, &machine]() {
    machine.wallOffset = 0;
    engine.note("clock of " + machine.name() + " is right again");
  });
  // A machine may also start with a wrong clock, and have it set right when its process runs.
  if (dice.chance(0.5) && machine.runs()) {
    machine.kill("its clock is off");
    startAfter(machine, dice.skewed(1 * kj::MILLISECONDS, 50 * kj::MILLISECONDS), false);
  }
  return true;
}

bool Faults::secondMaster() {
  auto& masters = cluster.masters;
  if (masters.size() < 2) return false;
  auto running =
      std::count_if(masters.begin(), masters.end(), [](auto& each) { return each->runs(); });
  if (running == 0 || running == static_cast<long>(masters.size())) return false;
  for (auto& master: masters) {
    if (!master->runs()) master->start();
  }
  // One of them goes again.
  auto& victim = *masters[dice.below(masters.size())];
  repairAfter(shortOrLong(6 * kj::SECONDS), [this, &victim]() {
    auto others = std::count_if(cluster.masters.begin(), cluster.masters.end(),
                                [&](auto& each) { return each.get() != &victim && each->runs(); });
    if (victim.runs() && others > 0) victim.kill("one master is enough");
  });
  return true;
}

}  // namespace gavel::simulation
