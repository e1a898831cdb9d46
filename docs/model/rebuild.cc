#include <algorithm>

#include "docs/model/transition.h"

// A master that is lost for good is made anew from promises (R3).  It may still run: then it goes
// on deciding, and its decisions may reach any node.
namespace gavel::model {
namespace {

bool hasStore(const Configuration& config, int slot) {
  return std::any_of(config.members.begin(), config.members.begin() + config.size,
                     [&](const Member& member) { return member.slot == slot; });
}

}  // namespace

State asTheLostSees(const State& state) {
  State seen = state;
  seen.last = state.lostLast;
  seen.gateOf = state.lostGateOf;
  return seen;
}

// Begins a round at any configuration that was stored.  A round that is under way is given up, but
// the promises stand.
bool Transition::ask(int number) {
  auto& config = state.configs[number];
  if (state.rounds >= options.bounds.rounds || state.lostLast != 0) return false;
  if (config.epoch == 0 || config.announced) return false;
  ++state.rounds;
  state.base = static_cast<Byte>(number);
  state.promised = 0;
  return true;
}

// A process on a member's store promises that the configuration is its newest, and that it adopts
// nothing of the lost master any more.  If it has an older configuration, it adopts this one first.
bool Transition::promise(int slot) {
  if (state.base == 0 || (state.promised >> slot & 1) != 0) return false;
  auto& config = state.configs[state.base];
  auto& node = state.nodes[slot];
  if (!hasStore(config, slot) || node.newest > config.epoch) return false;
  if (node.newest < config.epoch) {
    if (node.promisedAt != 0 && !isReleased(node)) return false;
    node.promisedAt = 0;
    if (!adopt(slot, state.base)) node.newest = config.epoch;  // It is not named, and waits.
  }
  if (!is(Variant::rebuildWithoutPromise)) node.promisedAt = state.base;
  state.promised = static_cast<Byte>(state.promised | 1 << slot);
  return true;
}

// Some member of the configuration at which the node has promised is in a later one, so not all
// have promised.
bool Transition::isReleased(const Node& node) const {
  auto& at = state.configs[node.promisedAt];
  return std::any_of(at.members.begin(), at.members.begin() + at.size, [&](const Member& member) {
    return state.nodes[member.slot].newest > at.epoch;
  });
}

// Whether the node has promised not to adopt `config`.
bool Transition::forbids(const Node& node, const Configuration& config) const {
  return node.promisedAt != 0 && config.epoch < REBUILD_STEP;
}

bool Transition::rebuild() {
  if (state.base == 0 || state.count >= options.bounds.epochs) return false;
  auto& base = state.configs[state.base];
  for (int place = 0; place < base.size; ++place) {
    auto member = base.members[place];
    bool needed = member.serving != 0 || !is(Variant::rebuildIgnoresJoiner);
    if (needed && (state.promised >> member.slot & 1) == 0) return false;
  }
  Configuration next;
  next.epoch = static_cast<Byte>(base.epoch + REBUILD_STEP);
  next.size = base.size;
  next.members = base.members;
  next.restartedIn = base.restartedIn;
  state.lostLast = state.last;
  state.lostGateOf = state.gateOf;
  state.base = state.promised = 0;
  return store(next, false);
}

bool Transition::storeByLost(const Configuration& next) {
  if (state.count >= options.bounds.epochs) return false;
  state.configs[++state.count] = next;
  state.lostLast = state.count;
  state.lostGateOf = {};
  return true;
}

}  // namespace gavel::model
