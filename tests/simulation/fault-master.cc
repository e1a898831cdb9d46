#include <algorithm>

#include "tests/simulation/faults.h"

// The masters' store is lost for good (R3).
namespace gavel::simulation {

void Faults::planLoss() {
  if (!lossDice.chance(0.35)) return;
  superviseRebuild();
  auto times = lossDice.between(1, 3);
  for (int i = 0; i < times; ++i) {
    engine.after(lossDice.between(500 * kj::MILLISECONDS, end - engine.now()),
                 [this]() { awaitLoss(); });
  }
}

// At the first moment from now on at which the loss can be repaired.
void Faults::awaitLoss() {
  if (healed || engine.now() >= end) return;
  if (loseMaster()) return count("master lost");
  engine.after(20 * kj::MILLISECONDS, [this]() { awaitLoss(); });
}

// Only while all members act in the stored configuration.  A member that only the store knows may
// have lost its disk already, and then not all can promise.
bool Faults::loseMaster() {
  if (!cluster.whole() || cluster.configStore.lost() || source != nullptr || !aged.empty()) {
    return false;
  }
  loseStore();
  if (lossDice.chance(0.8)) {
    engine.after(lossDice.skewed(1 * kj::MILLISECONDS, 2 * kj::SECONDS), [this]() { bringBack(); });
  }
  // Makes something to decide.
  auto& members = cluster.configStore.current().members;
  auto victim = members[lossDice.below(members.size())].storeId;
  if (lossDice.chance(0.6)) {
    engine.after(lossDice.between(0 * kj::SECONDS, 2 * kj::SECONDS),
                 [this, victim]() { strikeMember(victim); });
  }
  return true;
}

void Faults::loseStore() {
  for (auto& master: cluster.masters) {
    if (master->runs()) master->kill("its store is lost");
  }
  engine.note("the masters' store is lost for good");
  cluster.configStore.lose(cluster.lostStore);
}

// The lost store still exists, or is found again: somebody starts a master on it.
void Faults::bringBack() {
  auto& machine = *cluster.masters[lossDice.below(cluster.masters.size())];
  if (healed || machine.runs() || cluster.lostStore.current().epoch == 0) return;
  count("lost master came back");
  engine.note("a master comes back on the lost store");
  machine.use(cluster.lostStore);
  machine.start();
  started(machine);
  auto& process = machine.process();
  repairAfter(lossDice.skewed(20 * kj::MILLISECONDS, 8 * kj::SECONDS), [&machine, &process]() {
    if (machine.is(process) && machine.runs()) machine.kill("its operator reads its notice");
  });
}

// A member has promised a master that was overtaken by another one.
bool Faults::isHeldByPromise() const {
  auto& current = cluster.configStore.current();
  return std::any_of(cluster.nodes.begin(), cluster.nodes.end(), [&](auto& machine) {
    auto* node = machine->node();
    if (node == nullptr || node->replica().promised().epoch <= current.epoch) return false;
    auto id = machine->disk().store().recovered().storeId;
    return std::any_of(current.members.begin(), current.members.end(),
                       [&](auto& member) { return member.storeId == id; });
  });
}

// The notice then says to begin anew, in another empty directory.
void Faults::superviseRebuild() {
  engine.after(500 * kj::MILLISECONDS, [this]() { superviseRebuild(); });
  held = !cluster.configStore.lost() && isHeldByPromise() ? held + 1 : 0;
  if (held < 6) return;
  held = 0;
  count("rebuilt once more");
  loseStore();
}

}  // namespace gavel::simulation
