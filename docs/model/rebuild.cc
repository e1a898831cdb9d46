#include <algorithm>

#include "docs/model/transition.h"

// A master that is lost for good is made anew from promises (R3).  It may not be lost at all: then
// it goes on deciding, and its decisions reach whom they reach.
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

// A round begins, at any configuration that was stored; one that was under way is given up.  What
// was promised stands.
bool Transition::ask(int number) {
  auto& config = state.configs[number];
  if (state.rounds >= options.bounds.rounds || state.lostLast != 0) return false;
  if (config.epoch == 0 || config.announced) return false;
  ++state.rounds;
  state.base = static_cast<Byte>(number);
  state.promised = 0;
  return true;
}

// Whoever runs on the store of a member says that the configuration is its newest, which it adopts
// first if it has an older one, and adopts nothing of the lost master any more.
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

// A member of the configuration at which it has promised is in a later one: so not all have.
bool Transition::isReleased(const Node& node) const {
  auto& at = state.configs[node.promisedAt];
  return std::any_of(at.members.begin(), at.members.begin() + at.size, [&](const Member& member) {
    return state.nodes[member.slot].newest > at.epoch;
  });
}

// What a node has promised not to adopt.
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
