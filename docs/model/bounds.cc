#include <algorithm>

#include "docs/model/transition.h"

// What is known to be committed, older copies of stores, orders that give entries up (R11), and
// members that have to serve (R18).
namespace gavel::model {

// Whether what it knows to be committed belongs to the configuration that it acts in.
bool Transition::knowsHere(int slot) const {
  auto& node = state.nodes[slot];
  if (node.config == 0) return false;
  auto& config = state.configs[node.config];
  int place = placeOf(state, config, slot);
  if (place < 0 || config.epoch < state.configs[state.last].restartedIn) return false;
  return config.members[place].serving != 0 || config.attached != 0;
}

// Whether it acts in an epoch from before the last order.  What it and others that have not heard
// of it still commit, and tell, is lost: whoever orders has to stop them.
bool Transition::isGivenUp(const Node& node) const {
  return state.configs[node.config].epoch < state.configs[state.last].restartedIn;
}

// R11: never above what is durable, and in the epoch in which it is so.
bool Transition::note(int slot) {
  auto& node = state.nodes[slot];
  if (!options.bounds.keepBounds() || node.config == 0 || !knowsHere(slot)) return false;
  auto& config = state.configs[node.config];
  auto bound = std::min(node.commit, node.synced);
  if (is(Variant::boundAboveCommit)) bound = node.synced;
  bool counts = node.boundIn != 0 && node.boundIn >= config.restartedIn;
  if (bound == 0 || (counts && bound <= node.bound)) return false;
  node.bound = bound;
  node.boundIn = config.epoch;
  return true;
}

// R11: only from a serving member of the configuration in force.
bool Transition::told(int slot) {
  auto& node = state.nodes[slot];
  auto& last = state.configs[state.last];
  int place = placeOf(state, last, slot);
  if (node.config != state.last || place < 0 || !last.members[place].serving) return false;
  bool counts = node.boundIn != 0 && node.boundIn >= last.restartedIn;
  if (!counts || node.bound <= state.bound) return false;
  state.bound = node.bound;
  return true;
}

// What the masters do not know to be committed yet, a copy may lack without being told from the
// store that it is a copy of: that is more than is promised.
bool Transition::copy(int slot, int kept) {
  auto& node = state.nodes[slot];
  if (state.copies >= options.bounds.copies || kept >= state.bound) return false;
  ++state.copies;
  Node next;
  next.served = node.served;
  next.log = node.log.prefix(kept);
  next.synced = next.durable = static_cast<Byte>(kept);
  next.bound = std::min(node.bound, static_cast<Byte>(kept));
  next.boundIn = next.bound == 0 ? 0 : node.boundIn;
  next.incarnation = static_cast<Byte>(node.incarnation + 1);
  next.aged = 1;
  node = next;
  settle(slot);
  return true;
}

// R11: nobody serves any more, and an operator goes on with one store, whatever the others hold.
bool Transition::recover(int slot) {
  if (state.orders >= options.bounds.orders) return false;
  auto& current = state.configs[state.last];
  for (int place = 0; place < current.serving(); ++place) {
    if (runs(state, current.members[place])) return false;
  }
  // All of it is on its disk: the bound becomes that.
  auto held = state.nodes[slot].log.size();
  if (held == 0 || state.nodes[slot].synced < held) return false;
  Configuration next;
  next.epoch = static_cast<Byte>(current.epoch + 1);
  next.restartedIn = next.epoch;
  next.size = 1;
  next.members[0] = {static_cast<Byte>(slot & 7),
                     static_cast<Byte>(state.nodes[slot].incarnation & 15), 1};
  if (!store(next, false)) return false;
  ++state.orders;
  // What it does not hold is given up, and nobody is promised it any more.
  auto& node = state.nodes[slot];
  node.aged = 0;
  state.bound = static_cast<Byte>(node.log.size());
  int kept = node.log.shared(state.told);
  state.told.truncate(kept);
  state.committed = std::min(state.committed, static_cast<Byte>(kept));
  state.acknowledged = std::min(state.acknowledged, static_cast<Byte>(kept));
  state.query = {};
  return true;
}

bool Transition::mayGiveUp(const Node& node) const {
  if (is(Variant::boundBlocksRecover)) return false;
  auto& config = state.configs[node.config];
  return config.restartedIn != 0 && node.boundIn < config.restartedIn;
}

void Transition::requireBound(const Node& joiner, const Node& tail) {
  if (mayGiveUp(joiner) || joiner.boundIn == 0) return;
  if (joiner.bound > tail.log.size()) {
    breaks("a joiner knows to be committed what the chain lacks, and halts (R11)");
  }
}

// R18.
bool Transition::isShort(const Configuration& config) const {
  return config.serving() < options.bounds.least && !is(Variant::ackInShortEpoch);
}

// The head tells of what is committed: with min-members, of what an epoch with enough of them has
// committed.
void Transition::answer(int slot) {
  auto upToIn = [&](const State& from) {
    auto& node = from.nodes[slot];
    if (options.bounds.least <= 1 || is(Variant::ackInShortEpoch)) return node.commit;
    return isShort(from.configs[node.config]) ? Byte(0) : std::min(node.commit, node.here);
  };
  auto& node = state.nodes[slot];
  if (isGivenUp(node)) return;
  auto upTo = upToIn(state);
  tell(node.log, upTo);
  bool anew = before.nodes[slot].config != node.config ||
              before.nodes[slot].incarnation != node.incarnation || upToIn(before) < upTo;
  if (options.innerProperties && options.bounds.least > 1 && anew) checkCopies(slot, upTo);
}

void Transition::checkCopies(int slot, int upTo) {
  auto told = state.nodes[slot].log.prefix(upTo);
  int holders = 0;
  for (int each = 0; each < options.bounds.slots; ++each) {
    auto& node = state.nodes[each];
    if (node.log.prefix(node.synced).startsWith(told)) ++holders;
  }
  if (holders < options.bounds.least) {
    breaks("success is told of what too few disks hold (R18)");
  }
}

}  // namespace gavel::model
