#include <algorithm>

#include "docs/model/transition.h"

// R10: chain confirm.  Also R8: a reject is a read of the head's state.
//
// Unless options.eachWord, a member's word counts from the moment at which it can be given, and an
// answer is given as soon as it may be.  If any run breaks a property, so does one of these
// (docs/model/README.md).
namespace gavel::model {
namespace {

Byte bit(int place) {
  return static_cast<Byte>(1 << place);
}

}  // namespace

bool Transition::query(int slot) {
  auto& node = state.nodes[slot];
  if (!options.bounds.reads || node.config == 0) return false;
  auto& query = state.query;
  bool early = is(Variant::confirmBeforeQuery) || is(Variant::relayJoinsConfirm);
  if (query.active && (query.asked || !early)) return false;
  auto& config = state.configs[node.config];
  int place = placeOf(state, config, slot);
  if (place < 0 || !config.members[place].serving) return false;
  if (query.active) {
    // Keeps the part of the earlier confirm that counts: all of it at the same node, or the part
    // beyond the relay.
    if (is(Variant::confirmBeforeQuery) && query.slot != slot) return false;
    if (is(Variant::relayJoinsConfirm)) {
      int relay = query.relay;
      if (place == relay || !actsIn(state, config.members[relay], node.config)) return false;
      for (int other = 0; other < config.size; ++other) {
        bool beyond = place < relay ? other > relay : other < relay;
        if (!beyond) query.said = static_cast<Byte>(query.said & ~bit(other));
      }
      if (place > relay || relay == config.tail()) query.commit = 0;
    }
  } else {
    query = {};
  }
  query.active = 1;
  query.asked = 1;
  query.slot = static_cast<Byte>(slot);
  query.due = state.acknowledged;
  return true;
}

bool Transition::confirmEarly(int slot, int relay) {
  auto& node = state.nodes[slot];
  if (!options.bounds.reads || node.config == 0 || state.query.active) return false;
  auto& config = state.configs[node.config];
  int place = placeOf(state, config, slot);
  if (place < 0 || !config.members[place].serving) return false;
  if (relay >= 0 && place != relay) return false;
  state.query = {};
  state.query.active = 1;
  state.query.slot = static_cast<Byte>(slot);
  state.query.relay = static_cast<Byte>(relay & 7);
  return true;
}

// R8, weakened: shows the head's state as it is.
bool Transition::reject(int slot) {
  auto& node = state.nodes[slot];
  if (node.config == 0 || placeOf(state, state.configs[node.config], slot) != 0) return false;
  if (node.log.size() <= state.acknowledged) return false;
  tell(node.log, node.log.size());
  return true;
}

// The member at `place` confirms that it is still in the epoch of the query.
bool Transition::word(int place) {
  auto& query = state.query;
  auto& node = state.nodes[query.slot];
  if (!query.active || node.config == 0) return false;
  auto& config = state.configs[node.config];
  if (place >= config.size || place == placeOf(state, config, query.slot)) return false;
  auto member = config.members[place];
  if ((query.said & bit(place)) != 0 || !actsIn(state, member, node.config)) return false;
  if (place == config.tail()) {
    // Before it has reached its barrier it waits.  It also asks the joiner that it gates.
    auto& tail = state.nodes[member.slot];
    bool joinerSaid = (query.said & bit(config.size - 1)) != 0 || is(Variant::joinerNotAsked);
    if (tail.commit < tail.barrier || (tail.gated && !joinerSaid)) return false;
    query.commit = tail.commit;
  }
  query.said = static_cast<Byte>(query.said | bit(place));
  return true;
}

bool Transition::answer() {
  auto& query = state.query;
  if (!query.active || !query.asked || !complete()) return false;
  auto& node = state.nodes[query.slot];
  if (!is(Variant::readBelowCommit) && node.commit < query.commit) {
    // The confirm carries the tail's commit index, which may be ahead of the one that came from
    // node to node.
    node.commit = known(node, query.commit);
    settle(query.slot);
  }
  if (node.commit < query.due) {
    breaks("a read answers from a state that is older than what was acknowledged before it");
  }
  if (!isGivenUp(node)) tell(node.log, node.commit);
  query = {};
  return true;
}

void Transition::followReads() {
  auto& query = state.query;
  if (!query.active) return;
  // A read ends with its epoch and with the process that was asked.
  auto& node = state.nodes[query.slot];
  auto& was = before.nodes[query.slot];
  if (node.config == 0 || node.config != was.config || node.incarnation != was.incarnation) {
    query = {};
    return;
  }
  if (options.eachWord) return;
  // The joiner's word comes before the tail's.
  for (int place = MAX_SLOTS - 1; place >= 0; --place) word(place);
  answer();
}

bool Transition::complete() const {
  auto& query = state.query;
  auto& node = state.nodes[query.slot];
  auto& config = state.configs[node.config];
  int own = placeOf(state, config, query.slot);
  bool isTail = own == config.tail();
  if (isTail && node.commit < node.barrier) return false;
  if (is(Variant::readWithoutConfirm)) return true;
  if (isTail && node.gated && !is(Variant::joinerNotAsked) &&
      (query.said & bit(config.size - 1)) == 0) {
    return false;
  }
  for (int place = 0; place < config.serving(); ++place) {
    if (place == own || (query.said & bit(place)) != 0) continue;
    if (is(Variant::confirmNeighbourOnly) && isTail && place != own - 1) continue;
    return false;
  }
  return true;
}

}  // namespace gavel::model
