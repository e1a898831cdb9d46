#include "tests/simulation/faults.h"

#include <algorithm>
#include <fmt/format.h>

#include <kj/debug.h>

namespace gavel::simulation {
namespace {

// Any number will do, as long as it makes another source than the seed's own.
constexpr std::uint64_t LOSS = 0x6d61737465720a15;

// Relative to the other kinds of a run.
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
    case Fault::largePackets:
    case Fault::flappingLink:
      return 3;
    case Fault::isolation:
    case Fault::split:
    case Fault::secondMaster:
    case Fault::killTogether:
      return 2;
    case Fault::outage:
    case Fault::diskFull:
    case Fault::syncError:
    case Fault::diskHang:
    case Fault::diskCrawl:
    case Fault::clockStep:
    case Fault::clocksLeap:
    case Fault::olderCopy:
      return 1;
  }
  KJ_UNREACHABLE;
}

}  // namespace

Faults::Faults(Cluster& cluster, Dice faultDice)
    : cluster(cluster),
      engine(cluster.engine),
      dice(faultDice),
      calm(dice.skewed(300 * kj::MILLISECONDS, 4 * kj::SECONDS)),
      ambush(dice.chance(0.4)   ? 0
             : dice.chance(0.5) ? 0.3
                                : 0.7),
      wipes(dice.chance(0.5) ? 0.3 : 0),
      lossDice(Dice(faultDice).next() ^ LOSS) {
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
  superviseClocks();
  planLoss();
  if (cluster.plan.clocksOffAtStart != 0) {
    for (auto& node: cluster.nodes) started(*node);
    repairAfter(dice.between(500, 6000) * kj::MILLISECONDS, [this]() {
      setAllClocks(0);
      // Otherwise they go by the clock of their start.
      if (dice.chance(0.7)) outage();
    });
  }
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

std::string Faults::breakLink(Time duration) {
  auto& members = cluster.configStore.current().members;
  if (members.size() < 2) return "";
  auto place = dice.below(members.size() - 1);
  auto* before = cluster.nodeWithStore(members[place].storeId);
  auto* after = cluster.nodeWithStore(members[place + 1].storeId);
  if (before == nullptr || after == nullptr) return "";
  flapping = true;
  auto a = before->host();
  auto b = after->host();
  const char* what = "";
  switch (dice.below(6)) {
    case 0:
      what = "two-way";
      cutFor(a, b, duration);
      cutFor(b, a, duration);
      break;
    case 1:
      what = "to the successor";
      cutFor(a, b, duration);
      break;
    case 2:
      what = "to the predecessor";
      cutFor(b, a, duration);
      break;
    case 3:
    case 4: {
      what = "large packets";
      auto largest = static_cast<std::size_t>(dice.between(300, 4000));
      limitFor(a, b, largest, duration);
      if (dice.chance(0.5)) limitFor(b, a, largest, duration);
      break;
    }
    default: {
      what = "flapping";
      auto off = dice.between(400, 900) * kj::MILLISECONDS;
      flap({a, b, dice.chance(0.5), off, off / 2, engine.now() + duration});
    }
  }
  count("broken link");
  return fmt::format("{} > {} {}", before->name(), after->name(), what);
}

void Faults::pauseMasters(Time duration) {
  for (auto& machine: cluster.masters) {
    if (!machine->runs() || machine->paused()) continue;
    auto& process = machine->process();
    machine->pause();
    repairAfter(duration, [&machine = *machine, &process]() {
      if (machine.is(process) && machine.paused()) machine.resume();
    });
  }
  engine.note("the masters stand still");
}

void Faults::strike(Fault fault) {
  if (healed) return;
  if (tryStrike(fault)) count(name(fault));
}

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
  flapping = false;
  masterDiesAt = SharedConfigStore::Step::none;
  engine.note("all is repaired");
  // By index: a repair may add one, for what it ends.
  for (std::size_t i = 0; i < repairs.size(); ++i) {
    if (repairs[i]->done) continue;
    repairs[i]->done = true;
    repairs[i]->carryOut();
  }
  // A process that was started with a wrong clock uses it until it is restarted.
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
  // What only a serving member holds must not be lost for ever: the chain does not survive that.  A
  // master may be about to form the chain of a node that has just died.  Until there is a chain,
  // each node may be its only member.
  auto& members = cluster.configStore.current().members;
  if (members.empty()) return false;
  // An operator is about to go on from it.
  if (source == &machine) return false;
  // Its promise may be needed: the nodes know of older configurations than were stored.
  if (cluster.configStore.lost()) return false;
  auto store = machine.disk().store().recovered().storeId;
  for (auto& member: members) {
    if (member.storeId == store) return false;
  }
  return true;
}

void Faults::startAfter(Machine& machine, Time delay, bool empty) {
  repairAfter(delay, [this, &machine, empty]() {
    if (machine.runs()) return;
    if (heldBack(machine)) return startAfter(machine, 200 * kj::MILLISECONDS, empty);
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
    // If it came back after its store was lost, it is recognized.
    master->use(cluster.configStore);
    bool another = std::any_of(cluster.masters.begin(), cluster.masters.end(), [this](auto& each) {
      return each->runs() && each->uses(cluster.configStore);
    });
    // Or another master takes its place.
    auto& next = *cluster.masters[dice.below(cluster.masters.size())];
    bool same = dice.chance(0.7) || next.runs();
    if (!another) startAfter(same ? *master : next, delay, false);
  }
}

}  // namespace gavel::simulation
