#include <algorithm>
#include <fmt/format.h>

#include "master/orders.h"
#include "tests/simulation/faults.h"

// Faults that take copies of data away: members that end together, and directories that are
// replaced by older states of themselves.
namespace gavel::simulation {

bool Faults::killTogether() {
  std::vector<std::uint64_t> stores;
  for (auto& member: cluster.configStore.current().members) {
    if (member.serving) stores.push_back(member.storeId);
  }
  if (stores.size() < 2) return false;
  stores.erase(stores.begin() + static_cast<std::ptrdiff_t>(dice.below(stores.size())));
  for (auto store: stores) {
    engine.after(dice.between(0 * kj::MILLISECONDS, 50 * kj::MILLISECONDS),
                 [this, store]() { strikeMember(store); });
  }
  return true;
}

// It is counted when it has struck.
bool Faults::olderCopy() {
  auto& machine = anyNode();
  if (!machine.runs()) return false;
  auto copy = machine.disk().copy();
  engine.note(machine.name() + "'s directory is copied");
  engine.after(dice.skewed(300 * kj::MILLISECONDS, 3 * kj::SECONDS),
               [this, &machine, copy = kj::mv(copy)]() mutable {
                 if (!healed) putBack(machine, kj::mv(copy));
               });
  return false;
}

void Faults::putBack(NodeMachine& machine, kj::Own<MemoryStore> copy) {
  // What was committed within the last second before everything ended may be known to nobody.  A
  // copy that lacks only that looks like the original.
  auto& store = cluster.configStore;
  auto id = copy->recovered().storeId;
  bool lacks = !store.bound().within(
      {copy->durableEnd().epoch,
       copy->batches().empty() ? copy->logStart().index : copy->batches().back()->lastIndex(),
       copy->batches().empty() ? copy->logStart().checksum
                               : copy->batches().back()->end().checksum});
  bool same = machine.disk().store().recovered().storeId == id;
  // One of those who serve keeps its directory, also by a decision that is on its way to the store:
  // that arrives though its master loses power now.
  auto old = aged;
  old.push_back(id);
  bool others = cluster.othersServe(old);
  // It may lack a promise.
  bool lost = cluster.lostStore.current().epoch != 0;
  if (!lacks || !same || !others || source != nullptr || lost) return;
  count(name(Fault::olderCopy));
  for (auto& each: cluster.nodes) {
    if (each->runs()) each->losePower();
  }
  for (auto& each: cluster.masters) {
    if (each->runs()) each->losePower();
  }
  engine.note(machine.name() + " gets an older copy of its directory");
  machine.disk().putBack(kj::mv(copy));
  aged.push_back(id);
  if (mayGiveUp && dice.chance(0.5)) {
    source = &machine;
    sourceUntil = engine.now() + 8 * kj::SECONDS;
    engine.after(300 * kj::MILLISECONDS, [this, &machine]() { order(machine); });
  }
  repairAfter(dice.between(2 * kj::SECONDS, 9 * kj::SECONDS),
              [this, &machine]() { replaceAged(machine); });
}

// While an operator waits for the source, the others are not started.
bool Faults::heldBack(const Machine& machine) const {
  if (source == nullptr || healed || engine.now() >= sourceUntil || source == &machine)
    return false;
  return std::any_of(cluster.nodes.begin(), cluster.nodes.end(),
                     [&](auto& each) { return each.get() == &machine; });
}

// Repeats the order until a master carries it out.
void Faults::order(NodeMachine& machine) {
  auto& current = cluster.configStore.current();
  bool done = current.restartedIn == current.epoch;
  if (done || healed || engine.now() >= sourceUntil) {
    // A master may be about to carry it out.
    engine.after(done ? 0 * kj::SECONDS : 1 * kj::SECONDS, [this]() { source = nullptr; });
    return;
  }
  for (auto& each: cluster.masters) {
    auto* master = each->master();
    if (master == nullptr || each->paused()) continue;
    engine.deliver(each->process(), [master, name = machine.name(), epoch = current.epoch]() {
      auto answer = master->order(
          [name, epoch](const master::View& view) { return ruleRecover(view, name, epoch); });
      answer.detach([](kj::Exception&&) {});
    });
  }
  engine.after(200 * kj::MILLISECONDS, [this, &machine]() { order(machine); });
}

// The operator learns that the directory is too old, and gives the node an empty one, unless it has
// caught up with the chain.
void Faults::replaceAged(NodeMachine& machine) {
  auto id = machine.disk().store().recovered().storeId;
  if (std::find(aged.begin(), aged.end(), id) == aged.end()) return;
  auto& members = cluster.configStore.current().members;
  auto* node = machine.node();
  bool acts = node != nullptr && std::any_of(members.begin(), members.end(), [&](auto& each) {
                return each.incarnation == node->replica().incarnation();
              });
  // Whether or not it runs at this moment, the chain may still go on from it.
  bool named =
      std::any_of(members.begin(), members.end(), [&](auto& each) { return each.storeId == id; });
  if (!acts && (named || source == &machine)) {
    engine.after(500 * kj::MILLISECONDS, [this, &machine]() { replaceAged(machine); });
    return;
  }
  std::erase(aged, id);
  if (acts) return;
  if (machine.runs()) machine.kill("its directory is too old");
  engine.note(machine.name() + " gets an empty disk");
  machine.disk().wipe();
}

}  // namespace gavel::simulation
