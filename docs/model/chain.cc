#include <algorithm>

#include "docs/model/transition.h"

// What nodes do: R1, R2, R4, R5, R6, R9.
namespace gavel::model {
namespace {

// Not present if there is no successor.  A joiner is one only once it has attached.
Append appendFor(const State& state, int slot) {
  auto& node = state.nodes[slot];
  auto& config = state.configs[node.config];
  int place = placeOf(state, config, slot);
  Append append;
  if (place < 0 || place + 1 >= config.size) return append;
  bool toJoiner = !config.members[place + 1].serving;
  if (toJoiner && !config.attached) return append;
  append.log = node.log;
  append.durable = static_cast<Byte>(durableForSuccessor(node, place));
  append.commit = toJoiner ? node.commit : 0;
  append.present = 1;
  return append;
}

// 0 if there is no predecessor.
Byte ackFor(const State& state, int slot) {
  auto& node = state.nodes[slot];
  auto& config = state.configs[node.config];
  int place = placeOf(state, config, slot);
  if (place <= 0) return 0;
  if (config.members[place].serving) return static_cast<Byte>(node.commit + 1);
  return config.attached ? static_cast<Byte>(node.durable + 1) : 0;
}

// The commit index that the tail sends to the head past the nodes between; 0 if there are none.
Byte toHeadFor(const State& state, int slot, bool early) {
  auto& node = state.nodes[slot];
  auto& config = state.configs[node.config];
  int place = placeOf(state, config, slot);
  if (place < 2 || place != config.tail()) return 0;
  return static_cast<Byte>((early ? std::max(node.commit, node.heard) : node.commit) + 1);
}

// R1: takes a message of the epoch in which the node acts.  Weakened: of an older one too.
bool heeds(const Node& node, int number, bool older) {
  return node.config == number || (older && node.config > number);
}

}  // namespace

int placeOf(const State& state, const Configuration& config, int slot) {
  for (int place = 0; place < config.size; ++place) {
    auto& member = config.members[place];
    if (member.slot == slot && member.incarnation == state.nodes[slot].incarnation) return place;
  }
  return -1;
}

bool runs(const State& state, Member member) {
  return state.nodes[member.slot].incarnation == member.incarnation;
}

bool actsIn(const State& state, Member member, int config) {
  return runs(state, member) && state.nodes[member.slot].config == config;
}

int durableForSuccessor(const Node& node, int place) {
  if (place == 0) return node.durable;
  return std::min(node.durable, node.heard);
}

// R5: the head orders, and sends at once.
bool Transition::bid(int slot) {
  auto& node = state.nodes[slot];
  if (node.config == 0 || placeOf(state, state.configs[node.config], slot) != 0) return false;
  if (!state.configs[node.config].members[0].serving) return false;
  if (isShort(state.configs[node.config])) return false;
  if (state.bids >= options.bounds.bids) return false;
  node.log.append(state.bids++);
  settle(slot);
  if (is(Variant::answerBeforeCommit)) tell(node.log, node.log.size());
  return true;
}

bool Transition::persist(int slot, int upTo) {
  auto& node = state.nodes[slot];
  if (upTo > node.log.size() || upTo <= node.synced) return false;
  node.synced = static_cast<Byte>(upTo);
  node.durable = std::max(node.durable, node.synced);
  settle(slot);
  return true;
}

bool Transition::takeAppend(int number, int place) {
  auto& config = state.configs[number];
  auto append = config.appends[place - 1];
  auto member = config.members[place];
  if (append.present == 0 || !runs(state, member)) return false;
  auto& node = state.nodes[member.slot];
  if (!heeds(node, number, is(Variant::skipEpochCheck))) return false;
  config.appends[place - 1] = {};
  takeLog(node, append.log);
  auto& own = state.configs[node.config];
  bool serving = own.members[placeOf(state, own, member.slot)].serving != 0;
  // A syncing member has no use for the durable number, unless a variant keeps it.
  if (serving || is(Variant::keepNumbers) || is(Variant::keepUpstream)) {
    node.heard = std::max(node.heard, append.durable);
  }
  if (!serving) node.heardCommit = std::max<Byte>(node.heardCommit, append.commit);
  settle(member.slot);
  return true;
}

// R4: appends the entries after its own.
void Transition::takeLog(Node& node, const Log& sent) {
  if (options.nets && !sent.startsWith(node.log)) {
    breaks("a node holds what its predecessor does not, and halts (R4, R6)");
    return;
  }
  for (int index = node.log.size(); index < sent.size(); ++index) node.log.append(sent[index]);
}

bool Transition::takeAck(int number, int place) {
  auto& config = state.configs[number];
  int told = config.acks[place - 1] - 1;
  auto member = config.members[place - 1];
  if (told < 0 || !runs(state, member)) return false;
  auto& node = state.nodes[member.slot];
  if (!heeds(node, number, is(Variant::skipEpochCheck))) return false;
  config.acks[place - 1] = 0;
  auto& index = config.members[place].serving ? node.commit : node.joinerDurable;
  index = std::max(index, known(node, told));
  if (options.bounds.least > 1 && config.members[place].serving) {
    node.here = std::max(node.here, known(node, told));
  }
  settle(member.slot);
  return true;
}

bool Transition::takeToHead(int number) {
  auto& config = state.configs[number];
  int told = config.toHead - 1;
  auto member = config.members[0];
  if (told < 0 || !runs(state, member)) return false;
  auto& node = state.nodes[member.slot];
  bool older = is(Variant::skipEpochCheck) || is(Variant::toHeadOfOlderEpoch);
  if (!heeds(node, number, older)) return false;
  config.toHead = 0;
  node.commit = std::max(node.commit, known(node, told));
  if (options.bounds.least > 1) node.here = std::max(node.here, known(node, told));
  settle(member.slot);
  return true;
}

// R4: the part of the first `told` entries that the node holds.  It should hold all.
Byte Transition::known(const Node& node, int told) {
  if (options.nets && told > node.log.size()) {
    breaks("a node hears of entries that it does not hold, and halts (R4)");
  }
  return static_cast<Byte>(std::min(told, node.log.size()));
}

// R1, R6.  Announcements are as late as they like: any stored configuration that is newer than the
// node's own may arrive.
bool Transition::adopt(int slot, int number) {
  auto& node = state.nodes[slot];
  auto& config = state.configs[number];
  if (config.epoch <= state.configs[node.config].epoch || forbids(node, config)) return false;
  if (options.bounds.rounds > 0) {
    if (config.epoch <= node.newest) return false;
    if (placeOf(state, config, slot) < 0) return false;
    node.newest = config.epoch;
    if (config.epoch >= REBUILD_STEP) node.promisedAt = 0;  // The promise was kept.
  }
  int place = placeOf(state, config, slot);
  if (place < 0) return false;
  bool wasTail = node.config != 0 && placeOf(state, state.configs[node.config], slot) ==
                                         state.configs[node.config].tail();
  node.config = static_cast<Byte>(number);
  if (!is(Variant::keepNumbers) && !is(Variant::keepUpstream)) node.heard = 0;
  if (!is(Variant::keepNumbers)) node.joinerDurable = 0;
  if (is(Variant::passUnheard)) node.heard = node.durable;
  node.heardCommit = 0;
  node.here = 0;
  node.gated = 0;
  bool noted = place == config.tail() && !is(Variant::noBarrier);
  bool kept = noted && wasTail && is(Variant::barrierForNewTailOnly);
  if (!kept) node.barrier = noted ? static_cast<Byte>(node.log.size()) : 0;
  settle(slot);
  return true;
}

// R9.1: both act in the configuration.  It is one step, since only events that end the attachment
// change a log in between.
bool Transition::attach(int slot, bool snapshot) {
  auto& tail = state.nodes[slot];
  if (tail.config == 0) return false;
  auto& config = state.configs[tail.config];
  if (!config.hasJoiner() || config.attached || placeOf(state, config, slot) != config.tail()) {
    return false;
  }
  auto member = config.members[config.size - 1];
  if (!actsIn(state, member, tail.config)) return false;
  auto& joiner = state.nodes[member.slot];
  auto durableBefore = joiner.durable;
  requireBound(joiner, tail);
  joiner.aged = 0;
  if (snapshot) {
    // The log of the tail may begin after the joiner's end only if all up to its begin is
    // committed.
    if (joiner.log.size() >= tail.commit) return false;
    joiner.log = tail.log.prefix(tail.commit);
    joiner.durable = joiner.synced = joiner.commit = 0;
  } else {
    bool cuts =
        !is(Variant::noCut) && (!is(Variant::cutAfterRestartOnly) || joiner.incarnation > 0);
    int shared = cuts ? joiner.log.shared(tail.log) : joiner.log.size();
    if (options.nets && shared < joiner.commit && !mayGiveUp(joiner)) {
      breaks("a joiner would have to drop what is committed, and halts (R9)");
    }
    joiner.log.truncate(shared);
    joiner.durable = std::min<Byte>(joiner.durable, static_cast<Byte>(shared));
    joiner.synced = std::min<Byte>(joiner.synced, static_cast<Byte>(shared));
    joiner.commit = std::min<Byte>(joiner.commit, static_cast<Byte>(shared));
  }
  config.attached = 1;
  if (!is(Variant::keepNumbers)) tail.joinerDurable = 0;
  if (is(Variant::joinerDurableBeforeCut)) {
    tail.joinerDurable = std::min<Byte>(durableBefore, static_cast<Byte>(tail.log.size()));
  }
  settle(slot);
  settle(member.slot);
  return true;
}

// R9.3.
bool Transition::gate(int slot) {
  auto& node = state.nodes[slot];
  if (node.config == 0) return false;
  if (node.gated) {
    // By R9.3 a gate holds until another epoch.
    if (!is(Variant::gateGivenUp)) return false;
    node.gated = 0;
    settle(slot);
    return true;
  }
  auto& config = state.configs[node.config];
  if (!config.attached || placeOf(state, config, slot) != config.tail()) return false;
  node.gated = 1;
  return true;
}

bool Transition::report(int slot) {
  auto& node = state.nodes[slot];
  if (!node.gated) return false;
  auto& config = state.configs[node.config];
  // A report is of no use in an epoch that is over.
  bool toLost = state.lostLast != 0 && node.config == state.lostLast;
  if (node.config != state.last && !toLost) return false;
  if (!is(Variant::gateBeforeBarrier) && node.commit < node.barrier) return false;
  if (!is(Variant::gateBeforeCaughtUp) && node.joinerDurable < node.commit) return false;
  auto gateOf = config.members[config.size - 1];
  gateOf.serving = 1;
  auto& reported = toLost ? state.lostGateOf : state.gateOf;
  if (reported == gateOf) return false;
  reported = gateOf;
  return true;
}

// R2.  The next process finds `kept` entries, which may be more than were synced.  It starts at
// once, and does nothing until it is named.
bool Transition::crash(int slot, int kept, bool powerLoss) {
  auto& node = state.nodes[slot];
  if (state.crashes >= options.bounds.crashes) return false;
  ++state.crashes;
  Node next;
  next.served = node.served;
  next.aged = node.aged;
  next.bound = node.bound;
  next.boundIn = node.boundIn;
  next.newest = node.newest;
  next.promisedAt = node.promisedAt;
  next.log = node.log;
  next.log.truncate(kept);
  next.synced = std::min<Byte>(node.synced, static_cast<Byte>(next.log.size()));
  next.durable = next.synced;
  if (is(Variant::readIsDurable)) next.durable = static_cast<Byte>(next.log.size());
  // Its checkpoint may be the newest.  Checkpoints are not synced.
  next.commit = powerLoss ? 0 : std::min<Byte>(node.commit, static_cast<Byte>(next.log.size()));
  next.incarnation = node.incarnation;
  if (is(Variant::restartInPlace)) {
    next.config = node.config;
  } else {
    ++next.incarnation;
  }
  node = next;
  settle(slot);
  return true;
}

void Transition::settle(int slot) {
  auto& node = state.nodes[slot];
  if (node.config == 0) return;
  auto& config = state.configs[node.config];
  int place = placeOf(state, config, slot);
  if (place < 0) return;
  decide(node, config, place);
  if (place == 0) answer(slot);
  send(slot);
}

void Transition::decide(Node& node, const Configuration& config, int place) {
  if (!config.members[place].serving) {
    node.commit = std::max(node.commit, std::min(node.heardCommit, node.durable));
    return;
  }
  if (place != config.tail()) return;
  int limit = durableForSuccessor(node, place);
  if (node.gated) limit = std::min<int>(limit, node.joinerDurable);
  if (options.bounds.least > 1) node.here = std::max(node.here, static_cast<Byte>(limit));
  if (limit <= node.commit) return;
  node.commit = static_cast<Byte>(limit);
  committedAtTail(node, limit);
}

// Sends the neighbours what is new for them.
void Transition::send(int slot) {
  auto number = state.nodes[slot].config;
  auto& config = state.configs[number];
  int place = placeOf(state, config, slot);
  bool anew = before.nodes[slot].config != number || before.crashes != state.crashes;
  auto append = appendFor(state, slot);
  if (append.present && (anew || append != appendFor(before, slot))) {
    config.appends[place] = append;
  }
  auto ack = ackFor(state, slot);
  if (ack != 0 && (anew || ack != ackFor(before, slot))) config.acks[place - 1] = ack;
  bool early = is(Variant::toHeadBeforeCommit);
  auto toHead = toHeadFor(state, slot, early);
  if (toHead != 0 && (anew || toHead != toHeadFor(before, slot, early))) config.toHead = toHead;
}

}  // namespace gavel::model
