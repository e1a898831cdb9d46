#include <algorithm>
#include <fmt/format.h>

#include <kj/debug.h>

#include "tests/simulation/faults.h"

// The action of each kind of fault.  faults.cc decides when they strike.
namespace gavel::simulation {
namespace {

constexpr auto HOUR = 3600 * kj::SECONDS;

}  // namespace

const char* name(Fault fault) {
  constexpr const char* NAMES[FAULTS] = {
      "crash",         "power loss",      "total outage", "pause",           "one-way cut",
      "two-way cut",   "isolation",       "split",        "cut from master", "slow link",
      "reset",         "disk full",       "sync error",   "disk hang",       "disk crawl",
      "clock step",    "clocks leap",     "master step",  "second master",   "large packets",
      "flapping link", "killed together", "older copy"};
  return NAMES[static_cast<unsigned>(fault)];
}

// Returns whether it struck at once.  What strikes later is counted then.
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
    case Fault::diskCrawl:
      return diskCrawl();
    case Fault::clockStep:
      return stepClock();
    case Fault::clocksLeap:
      return leapClocks();
    case Fault::masterStep:
      masterDiesAt = static_cast<SharedConfigStore::Step>(dice.between(1, 4));
      return false;
    case Fault::secondMaster:
      return secondMaster();
    case Fault::largePackets:
      return largePackets();
    case Fault::flappingLink:
      return flappingLink();
    case Fault::killTogether:
      return killTogether();
    case Fault::olderCopy:
      return olderCopy();
  }
  KJ_UNREACHABLE;
}

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

void Faults::limitFor(Host from, Host to, std::size_t largest, Time duration) {
  auto& wire = cluster.wire;
  wire.limit(from, to, largest);
  engine.note(
      fmt::format("{} > {} loses more than {} bytes", wire.name(from), wire.name(to), largest));
  repairAfter(duration, [this, &wire, from, to]() {
    engine.note(fmt::format("healed {} > {}", wire.name(from), wire.name(to)));
    wire.limit(from, to, 0);
  });
}

void Faults::flap(Flap flap) {
  if (!flapping || engine.now() >= flap.until) return;
  auto off = kj::min(flap.off, flap.until - engine.now());
  cutFor(flap.from, flap.to, off);
  if (flap.bothWays) cutFor(flap.to, flap.from, off);
  repairAfter(flap.off + flap.on, [this, flap]() { this->flap(flap); });
}

bool Faults::largePackets() {
  auto a = anyNode().host();
  auto b = anyNode().host();
  if (a == b) return false;
  auto largest = static_cast<std::size_t>(dice.between(200, 5000));
  auto duration = shortOrLong(8 * kj::SECONDS);
  limitFor(a, b, largest, duration);
  if (dice.chance(0.5)) limitFor(b, a, largest, duration);
  return true;
}

bool Faults::flappingLink() {
  auto a = anyNode().host();
  auto b = anyNode().host();
  if (a == b) return false;
  auto off = dice.between(50, 1500) * kj::MILLISECONDS;
  auto on = dice.between(20, 600) * kj::MILLISECONDS;
  flap({a, b, dice.chance(0.6), off, on, engine.now() + shortOrLong(8 * kj::SECONDS)});
  return true;
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
  // Bidders may still reach it: they could get a wrong answer.
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
  // Those at the head go on with the masters, while those after them still have each other.
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

// The disk reports when the fault has struck.
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

bool Faults::diskCrawl() {
  auto& machine = anyNode();
  auto extra = dice.skewed(20 * kj::MILLISECONDS, 3 * kj::SECONDS);
  // Mostly long enough for it to be taken out.
  auto duration = dice.between(1000, 30'000) * kj::MILLISECONDS;
  machine.disk().crawlFor(extra, engine.now() + duration);
  repairAfter(duration,
              [&machine]() { machine.disk().crawlFor(0 * kj::NANOSECONDS, 0 * kj::NANOSECONDS); });
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

void Faults::setAllClocks(std::int64_t off) {
  engine.note(fmt::format("all clocks are off by {} ms", off / 1'000'000));
  for (auto& node: cluster.nodes) node->wallOffset = off;
  for (auto& master: cluster.masters) master->wallOffset = off;
}

bool Faults::leapClocks() {
  // One at a time, as the repair of one would be that of the other.
  if (clocksOff() || !outage()) return false;
  auto off = dice.skewed(10 * kj::SECONDS, 100 * 24 * HOUR) / kj::NANOSECONDS;
  setAllClocks(dice.chance(0.7) ? off : -off);
  repairAfter(shortOrLong(8 * kj::SECONDS), [this]() { setAllClocks(0); });
  return true;
}

void Faults::superviseClocks() {
  engine.after(500 * kj::MILLISECONDS, [this]() { superviseClocks(); });
  for (auto& machine: cluster.nodes) {
    auto* node = machine->node();
    if (node == nullptr || machine->paused() || machine->wallOffset != 0) continue;
    if (node->admission().leap() == 0) continue;
    count("clocks accepted");
    engine.note("an operator accepts the clock of " + machine->name());
    auto limit = Engine::WALL_AT_START + engine.now() / kj::NANOSECONDS + 1'000'000'000;
    engine.deliver(machine->process(), [node, limit]() {
      node->admission().acceptClock(limit).ignoreResult().detach([](kj::Exception&&) {});
    });
  }
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
