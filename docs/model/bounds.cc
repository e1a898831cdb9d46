#include <algorithm>

#include "docs/model/transition.h"

// What is known to be committed, older copies of stores, orders that give entries up (R11), and
// members that have to serve (R18).
namespace gavel::model {

// Whether the node learned its bound in the configuration in which it acts.
bool Transition::knowsHere(int slot) const {
  auto& node = state.nodes[slot];
  if (node.config == 0) return false;
  auto& config = state.configs[node.config];
  int place = placeOf(state, config, slot);
  if (place < 0 || config.epoch < state.configs[state.last].restartedIn) return false;
  return config.members[place].serving != 0 || config.attached != 0;
}

// Whether the node acts in an epoch before the last order.  What such nodes still commit and answer
// is lost: whoever gives the order has to stop them.
bool Transition::isGivenUp(const Node& node) const {
  return state.configs[node.config].epoch < state.configs[state.last].restartedIn;
}

// R11: the bound is never above what is durable, and is of the epoch in which it was learned.
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

// R11: the store takes it only from a serving member of the configuration in force.
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

// Only a copy that lacks something within the masters' bound is modelled.  A copy that lacks only
// later entries cannot be told from its original, and R11 promises nothing about it.
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
  // All of its log is on its disk, and the bound becomes its end.
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
  // Entries that it does not hold are given up, and promised to nobody any more.
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

// R18: too few members serve.
bool Transition::isShort(const Configuration& config) const {
  return config.serving() < options.bounds.least && !is(Variant::ackInShortEpoch);
}

// The head answers with what is committed; with min-members, with what an epoch with enough of them
// has committed.
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
