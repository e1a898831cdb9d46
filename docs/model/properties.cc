#include <algorithm>

#include "docs/model/transition.h"

// The properties.
namespace gavel::model {

// Takes note of the entries that a tail commits.
void Transition::committedAtTail(const Node& node, int upTo) {
  if (isGivenUp(node)) return;
  for (int index = 0; index < upTo; ++index) {
    if (index < state.told.size()) {
      if (state.told[index] != node.log[index]) {
        breaks(index < state.acknowledged
                   ? "an acknowledged bid is lost: another one is committed in its place"
                   : "two different entries are committed at one index");
        return;
      }
    } else {
      state.told.append(node.log[index]);
    }
  }
  state.committed = std::max(state.committed, static_cast<Byte>(upTo));
}

// Takes note of the entries that a client is shown.
void Transition::tell(const Log& log, int upTo) {
  for (int index = 0; index < upTo; ++index) {
    if (index < state.told.size()) {
      if (state.told[index] != log[index]) {
        breaks("clients are told of two different entries at one index");
        return;
      }
    } else {
      state.told.append(log[index]);
    }
  }
  state.acknowledged = std::max(state.acknowledged, static_cast<Byte>(upTo));
}

void Transition::finish() {
  followReads();
  check();
  if (options.innerProperties) checkInner();
  forget();
}

void Transition::check() {
  // The head's log stands (R6), so an entry that is not in it now never comes back.
  auto head = state.configs[state.last].members[0];
  if (actsIn(state, head, state.last) &&
      !state.nodes[head.slot].log.startsWith(state.told.prefix(state.acknowledged))) {
    breaks("an acknowledged bid is lost: the head acts without it");
  }
}

void Transition::checkInner() {
  for (int number = 1; number <= state.count; ++number) {
    auto& config = state.configs[number];
    if (config.epoch == 0) continue;
    // R3: epochs have one content.
    for (int other = 1; other < number; ++other) {
      if (state.configs[other].epoch == config.epoch) breaks("an epoch has two contents (R3)");
    }
    if (config.serving() == 0) breaks("the last serving member is removed (R3)");
    // R4: among those that serve in one epoch, a log is a prefix of those upstream.
    const Log* upstream = nullptr;
    for (int place = 0; place < config.serving(); ++place) {
      if (!actsIn(state, config.members[place], number)) continue;
      auto& log = state.nodes[config.members[place].slot].log;
      if (upstream != nullptr && !upstream->startsWith(log)) {
        breaks("a serving member's log is no prefix of its predecessor's (R4)");
      }
      upstream = &log;
    }
  }
  // R3, R9 and R11 rest on this.
  auto& last = state.configs[state.last];
  for (int place = 0; place < last.serving(); ++place) {
    auto& node = state.nodes[last.members[place].slot];
    // It is no source, and the process that served has ended.
    if (node.aged && !runs(state, last.members[place])) continue;
    if (!node.log.prefix(node.synced).startsWith(state.told.prefix(state.committed))) {
      breaks("a committed entry is not on the disk of each serving member of the stored epoch");
    }
  }
  for (int slot = 0; slot < options.bounds.slots; ++slot) {
    auto& node = state.nodes[slot];
    // Its bound may be older than the order.
    if (last.restartedIn != 0 && !knowsHere(slot)) continue;
    if (!state.told.startsWith(node.log.prefix(node.commit))) {
      breaks("a node takes for committed what is not");
    }
  }
}

// Drops what nobody can receive, or act in, any more.  States that differ in nothing else become
// the same.
void Transition::forget() {
  for (int number = 1; number <= state.count; ++number) {
    auto& config = state.configs[number];
    if (config.epoch == 0) continue;
    bool matters = number == state.last || number == state.lostLast || number == state.base;
    for (auto& node: state.nodes) matters = matters || node.promisedAt == number;
    for (int place = 0; place < config.size; ++place) {
      auto member = config.members[place];
      int epoch = runs(state, member) ? state.configs[state.nodes[member.slot].config].epoch
                                      : 2 * REBUILD_STEP;
      bool outlived = epoch < config.epoch && forbids(state.nodes[member.slot], config) &&
                      options.bounds.rounds <= 1;
      bool may = (epoch <= config.epoch && !outlived) ||
                 (is(Variant::skipEpochCheck) && runs(state, member));
      bool mayHearTail = may || (is(Variant::toHeadOfOlderEpoch) && runs(state, member));
      if (place == 0 && !mayHearTail) config.toHead = 0;
      matters = matters || may || config.toHead != 0;
      if (may) continue;
      if (place > 0) config.appends[place - 1] = {};
      if (place + 1 < config.size) config.acks[place] = 0;
    }
    if (!matters) config = {};
  }
}

}  // namespace gavel::model
