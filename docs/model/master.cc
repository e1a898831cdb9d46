#include <algorithm>

#include "docs/model/transition.h"

// The masters: R3, R9.3, R11.  A decision counts from the moment at which it is stored, by a swap
// from the last one.  It reaches each node at any time, or never (Transition::adopt).
namespace gavel::model {
namespace {

Configuration after(const Configuration& current, Variant variant) {
  Configuration next;
  next.epoch = static_cast<Byte>(current.epoch + 1);
  if (variant != Variant::orderNotRepeated) next.restartedIn = current.restartedIn;
  return next;
}

void add(Configuration& config, int slot, int incarnation, bool serving) {
  auto& member = config.members[config.size];
  member.slot = static_cast<Byte>(slot & 7);
  member.incarnation = static_cast<Byte>(incarnation & 15);
  member.serving = serving ? 1 : 0;
  ++config.size;
}

bool holdsStore(const Configuration& config, int slot) {
  return std::any_of(config.members.begin(), config.members.begin() + config.size,
                     [&](const Member& member) { return member.slot == slot; });
}

bool sameMembers(const Configuration& left, const Configuration& right) {
  return left.size == right.size && left.members == right.members;
}

// Whether the syncing member may be made to serve (R9.3).
bool gateReported(const State& state, const Configuration& current, Variant variant) {
  if (!current.hasJoiner()) return false;
  if (variant == Variant::noGate) return true;
  auto joiner = current.members[current.size - 1];
  joiner.serving = 1;
  return state.gateOf == joiner;
}

// Calls back with `serving` alone, and followed by each node that may be named syncing.
void withJoiners(const State& state, const Configuration& current, const Configuration& serving,
                 bool promoted, int slots, const std::function<void(const Configuration&)>& use) {
  use(serving);
  if (current.hasJoiner() && !promoted) {
    auto next = serving;
    next.members[next.size++] = current.members[current.size - 1];
    use(next);
  }
  for (int slot = 0; slot < slots; ++slot) {
    // A store appears once, and a lost member has to be removed first.
    if (placeOf(state, current, slot) >= 0 || holdsStore(serving, slot)) continue;
    auto next = serving;
    add(next, slot, state.nodes[slot].incarnation, false);
    use(next);
  }
}

}  // namespace

void forEachNext(const State& state, const Options& options,
                 const std::function<void(const Configuration&)>& use) {
  auto& current = state.configs[state.last];
  bool mayPromote = gateReported(state, current, options.variant);
  auto pass = [&](const Configuration& next) {
    if (!sameMembers(next, current)) use(next);
  };
  for (int kept = 0; kept < 1 << current.serving(); ++kept) {
    auto next = after(current, options.variant);
    for (int place = 0; place < current.serving(); ++place) {
      if (kept >> place & 1) next.members[next.size++] = current.members[place];
    }
    if (next.size > 0) {
      withJoiners(state, current, next, false, options.bounds.slots, pass);
      if (options.variant == Variant::reorder && next.size > 1) {
        std::reverse(next.members.begin(), next.members.begin() + next.size);
        withJoiners(state, current, next, false, options.bounds.slots, pass);
        std::reverse(next.members.begin(), next.members.begin() + next.size);
      }
    }
    if (mayPromote) {
      next.members[next.size] = current.members[current.size - 1];
      next.members[next.size++].serving = 1;
      withJoiners(state, current, next, true, options.bounds.slots, pass);
    }
  }
}

// The process that served in a source has ended.  Those of the others may still run, as the master
// may be wrong about them.
void forEachRestart(const State& state, const Options& options,
                    const std::function<void(const Configuration&)>& use) {
  auto& current = state.configs[state.last];
  std::array<int, MAX_SLOTS> sources = {};
  int count = 0;
  bool allEnded = true;
  for (int place = 0; place < current.serving(); ++place) {
    bool lacks = state.nodes[current.members[place].slot].log.size() < state.bound;
    if (runs(state, current.members[place])) {
      allEnded = false;
    } else if (!lacks || options.variant == Variant::noBound) {
      sources[count++] = current.members[place].slot;
    }
  }
  for (int chosen = 1; chosen < 1 << count; ++chosen) {
    std::array<int, MAX_SLOTS> order = {};
    int size = 0;
    for (int each = 0; each < count; ++each) {
      if (chosen >> each & 1) order[size++] = sources[each];
    }
    // The longest log comes first; equal ones keep their order.
    std::stable_sort(order.begin(), order.begin() + size, [&](int left, int right) {
      return state.nodes[left].log.size() > state.nodes[right].log.size();
    });
    auto next = after(current, options.variant);
    for (int each = 0; each < size; ++each) {
      add(next, order[each], state.nodes[order[each]].incarnation, true);
    }
    use(next);
  }
  if (!allEnded) return;
  for (int slot = 0; slot < options.bounds.slots; ++slot) {
    bool joiner = current.hasJoiner() && current.members[current.size - 1].slot == slot;
    bool older = state.nodes[slot].served && !holdsStore(current, slot);
    if ((options.variant == Variant::joinerIsSource && joiner) ||
        (options.variant == Variant::olderMemberIsSource && older)) {
      auto next = after(current, options.variant);
      add(next, slot, state.nodes[slot].incarnation, true);
      use(next);
    }
  }
}

bool Transition::store(const Configuration& next, bool announceOnly) {
  if (state.count >= options.bounds.epochs) return false;
  state.configs[++state.count] = next;
  if (announceOnly) {
    state.configs[state.count].announced = 1;
    return true;
  }
  state.last = state.count;
  if (!is(Variant::gateOfOlderEpoch)) state.gateOf = {};
  if (is(Variant::olderMemberIsSource)) {
    for (int place = 0; place < next.serving(); ++place) {
      state.nodes[next.members[place].slot].served = 1;
    }
  }
  return true;
}

bool Transition::restart(const Configuration& next) {
  if (!store(next, false)) return false;
  if (options.innerProperties) {
    for (int place = 0; place < next.size; ++place) {
      if (!state.nodes[next.members[place].slot].log.startsWith(
              state.told.prefix(state.committed))) {
        breaks("a source after an outage lacks a committed entry (R11)");
      }
    }
  }
  return true;
}

}  // namespace gavel::model
