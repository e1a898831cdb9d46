#include "docs/model/model.h"

#include "docs/model/transition.h"

namespace gavel::model {

State Model::initial() const {
  State state;
  auto& config = state.configs[1];
  config.epoch = 1;
  for (int slot = 0; slot < options.bounds.chain; ++slot) {
    config.members[slot] = {static_cast<Byte>(slot & 7), 0, 1};
    ++config.size;
    // All have adopted it, and know from each other that the log is empty.
    state.nodes[slot].config = 1;
    state.nodes[slot].newest = options.bounds.rounds > 0 ? 1 : 0;
    state.nodes[slot].served = options.variant == Variant::olderMemberIsSource ? 1 : 0;
  }
  state.count = state.last = 1;
  return state;
}

void Model::successors(const State& state, const Emit& emit) const {
  using Kind = Step::Kind;
  Transition transition(state, options);
  // Carries `rule` out, and passes on the resulting state.
  auto attempt = [&](Kind kind, int slot, int config, int number, auto rule) {
    if (!rule(transition)) return;
    transition.finish();
    emit({kind, static_cast<Byte>(slot), static_cast<Byte>(config), static_cast<Byte>(number)},
         transition.result(), transition.broken());
    transition.begin();
  };
  auto is = [&](Variant variant) { return options.variant == variant; };

  for (int slot = 0; slot < options.bounds.slots; ++slot) {
    auto& node = state.nodes[slot];
    attempt(Kind::bid, slot, 0, 0, [&](auto& to) { return to.bid(slot); });
    for (int upTo = node.synced + 1; upTo <= node.log.size(); ++upTo) {
      attempt(Kind::persist, slot, 0, upTo, [&](auto& to) { return to.persist(slot, upTo); });
    }
    for (int number = 1; number <= state.count; ++number) {
      attempt(Kind::adopt, slot, number, 0, [&](auto& to) { return to.adopt(slot, number); });
    }
    attempt(Kind::attach, slot, 0, 0, [&](auto& to) { return to.attach(slot, false); });
    attempt(Kind::snapshot, slot, 0, 0, [&](auto& to) { return to.attach(slot, true); });
    attempt(Kind::gate, slot, 0, 0, [&](auto& to) { return to.gate(slot); });
    attempt(Kind::report, slot, 0, 0, [&](auto& to) { return to.report(slot); });
    attempt(Kind::query, slot, 0, 0, [&](auto& to) { return to.query(slot); });
    int synced = node.synced;
    for (int kept = node.log.size(); kept >= synced; --kept) {
      attempt(Kind::crash, slot, 0, kept, [&](auto& to) { return to.crash(slot, kept, false); });
    }
    attempt(Kind::powerLoss, slot, 0, synced,
            [&](auto& to) { return to.crash(slot, synced, true); });
    attempt(Kind::note, slot, 0, 0, [&](auto& to) { return to.note(slot); });
    attempt(Kind::told, slot, 0, 0, [&](auto& to) { return to.told(slot); });
    for (int kept = 0; kept < synced; ++kept) {
      attempt(Kind::copy, slot, 0, kept, [&](auto& to) { return to.copy(slot, kept); });
    }
    attempt(Kind::recover, slot, 0, 0, [&](auto& to) { return to.recover(slot); });
    attempt(Kind::promise, slot, state.base, 0, [&](auto& to) { return to.promise(slot); });
    if (is(Variant::confirmBeforeQuery)) {
      attempt(Kind::confirm, slot, 0, 0, [&](auto& to) { return to.confirmEarly(slot, -1); });
    }
    if (is(Variant::relayJoinsConfirm)) {
      for (int relay = 0; relay < MAX_SLOTS; ++relay) {
        attempt(Kind::confirm, slot, 0, 0, [&](auto& to) { return to.confirmEarly(slot, relay); });
      }
    }
    if (is(Variant::rejectOnUncommitted)) {
      attempt(Kind::reject, slot, 0, 0, [&](auto& to) { return to.reject(slot); });
    }
  }
  for (int number = 1; number <= state.count; ++number) {
    for (int place = 1; place < state.configs[number].size; ++place) {
      attempt(Kind::append, 0, number, place,
              [&](auto& to) { return to.takeAppend(number, place); });
      attempt(Kind::ack, 0, number, place, [&](auto& to) { return to.takeAck(number, place); });
    }
    attempt(Kind::toHead, 0, number, 0, [&](auto& to) { return to.takeToHead(number); });
    attempt(Kind::ask, 0, number, 0, [&](auto& to) { return to.ask(number); });
  }
  if (options.eachWord) {
    for (int place = 0; place < MAX_SLOTS; ++place) {
      attempt(Kind::word, 0, 0, place, [&](auto& to) { return to.word(place); });
    }
    attempt(Kind::answer, 0, 0, 0, [&](auto& to) { return to.answer(); });
  }
  if (state.count >= options.bounds.epochs) return;
  forEachNext(state, options, [&](const Configuration& next) {
    attempt(Kind::store, 0, 0, 0, [&](auto& to) { return to.store(next, false); });
    if (is(Variant::announceFirst)) {
      attempt(Kind::announce, 0, 0, 0, [&](auto& to) { return to.store(next, true); });
    }
  });
  forEachRestart(state, options, [&](const Configuration& next) {
    attempt(Kind::restart, 0, 0, 0, [&](auto& to) { return to.restart(next); });
  });
  attempt(Kind::rebuild, 0, 0, 0, [&](auto& to) { return to.rebuild(); });
  if (state.lostLast == 0) return;
  auto seen = asTheLostSees(state);
  forEachNext(seen, options, [&](const Configuration& next) {
    attempt(Kind::lostStore, 0, 0, 0, [&](auto& to) { return to.storeByLost(next); });
  });
  forEachRestart(seen, options, [&](const Configuration& next) {
    attempt(Kind::lostRestart, 0, 0, 0, [&](auto& to) { return to.storeByLost(next); });
  });
}

}  // namespace gavel::model
