#include <algorithm>
#include <fmt/format.h>

#include "tests/simulation/faults.h"

// Faults that strike when the chain changes.  The short gaps of a re-link or a join are seldom hit
// by chance.
namespace gavel::simulation {
namespace {

constexpr auto LOOK = 2 * kj::MILLISECONDS;
constexpr auto TIME_TO_GATE = 3 * kj::SECONDS;

}  // namespace

void Faults::changed(const Configuration& next) {
  if (healed || engine.now() >= end || !dice.chance(ambush)) return;
  if (next.joiner() != nullptr && dice.chance(0.4)) delayGate(next);
  if (next.joiner() != nullptr && next.members.size() > 2 && dice.chance(0.3)) outdateGate(next);
  if (next.joiner() != nullptr && dice.chance(0.3)) flapJoiner(next);
  auto victim = next.members[dice.below(next.members.size())].storeId;
  engine.after(dice.skewed(200 * kj::MICROSECONDS, 150 * kj::MILLISECONDS), [this, victim]() {
    if (dice.chance(0.5)) {
      strikeMember(victim);
    } else {
      strike(kinds[dice.below(kinds.size())]);
    }
  });
}

// The tail's report of its gate is late, and may arrive in another epoch.
void Faults::delayGate(const Configuration& next) {
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

// A gate is under way when another member is lost.  It arrives in the next epoch, in which the same
// tail commits without the same joiner, which lacks what is committed for a while.
void Faults::outdateGate(const Configuration& next) {
  auto* tail = cluster.nodeWithStore(next.tail()->storeId);
  auto* joiner = cluster.nodeWithStore(next.joiner()->storeId);
  if (tail == nullptr || joiner == nullptr) return;
  auto lost = next.members[dice.below(next.members.size() - 2)].storeId;
  auto extra = dice.between(150, 1500) * kj::MILLISECONDS;
  auto slow = [this](Host from, Host to, Time extra, Time duration) {
    cluster.wire.slow(from, to, extra);
    repairAfter(duration, [this, from, to]() { cluster.wire.slow(from, to, 0 * kj::NANOSECONDS); });
  };
  for (auto& master: cluster.masters) {
    slow(tail->host(), master->host(), extra, 2 * extra + TIME_TO_GATE);
  }
  onceGating(*tail, engine.now() + TIME_TO_GATE, [this, slow, tail, joiner, lost]() {
    count("gate made out of date");
    strikeMember(lost);
    slow(tail->host(), joiner->host(), dice.between(50, 1000) * kj::MILLISECONDS, TIME_TO_GATE);
  });
}

void Faults::onceGating(NodeMachine& tail, Time until, std::function<void()> then) {
  if (healed || engine.now() >= until) return;
  auto* node = tail.node();
  if (node != nullptr && node->replica().gating()) return then();
  engine.after(LOOK,
               [this, &tail, until, then = std::move(then)]() { onceGating(tail, until, then); });
}

// The tail and the joiner have just enough time for a gate.
void Faults::flapJoiner(const Configuration& next) {
  auto* tail = cluster.nodeWithStore(next.tail()->storeId);
  auto* joiner = cluster.nodeWithStore(next.joiner()->storeId);
  if (tail == nullptr || joiner == nullptr) return;
  count(name(Fault::flappingLink));
  flap({tail->host(), joiner->host(), true, dice.between(900, 2000) * kj::MILLISECONDS,
        dice.between(20, 400) * kj::MILLISECONDS, engine.now() + 6 * kj::SECONDS});
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

}  // namespace gavel::simulation
