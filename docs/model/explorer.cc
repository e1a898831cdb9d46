#include "docs/model/explorer.h"

#include <array>
#include <chrono>
#include <stdexcept>
#include <xxhash.h>

namespace gavel::model {
namespace {

using Print = std::uint64_t;

Print printOf(const State& state) {
  auto print = XXH3_64bits(&state, sizeof(state));
  return print == 0 ? 1 : print;  // 0 marks a free slot.
}

// The fingerprints of the known states, each with that of the state from which it was reached.
class Seen {
public:
  Seen(): slots(1 << 16) {}

  std::size_t size() const { return count; }

  // Returns false if the state is known already.
  bool add(Print print, Print from) {
    auto& slot = find(print);
    if (slot.print != 0) return false;
    slot = {print, from};
    if (++count * 4 > slots.size() * 3) grow();
    return true;
  }

  Print from(Print print) { return find(print).from; }

private:
  struct Slot {
    Print print = 0;
    Print from = 0;
  };
  std::vector<Slot> slots;  // A power of two of them; probing is linear.
  std::size_t count = 0;

  Slot& find(Print print) {
    auto mask = slots.size() - 1;
    auto at = print & mask;
    while (slots[at].print != 0 && slots[at].print != print) at = (at + 1) & mask;
    return slots[at];
  }

  void grow() {
    std::vector<Slot> old(slots.size() * 2);
    old.swap(slots);
    for (auto& slot: old) {
      if (slot.print != 0) find(slot.print) = slot;
    }
  }
};

// Follows the fingerprints from the initial state again.
std::vector<std::string> retrace(const Model& model, Seen& seen, Print end, Print broken) {
  std::vector<Print> way;
  if (broken != 0) way.push_back(broken);
  for (auto print = end; print != 0; print = seen.from(print)) way.push_back(print);
  std::vector<std::string> lines;
  auto state = model.initial();
  way.pop_back();
  while (!way.empty()) {
    State next;
    std::string line;
    model.successors(state, [&](const Step& step, const State& to, Broken property) {
      bool last = way.size() == 1 && broken != 0;
      if (!line.empty() || printOf(to) != way.back() || (last != (property != nullptr))) return;
      line = model.describe(step, state, to);
      next = to;
    });
    if (line.empty()) throw std::logic_error("the way to a state cannot be found again");
    lines.push_back(line);
    state = next;
    way.pop_back();
  }
  lines.push_back(Model::describe(state));
  return lines;
}

}  // namespace

Findings explore(const Model& model, std::size_t limit) {
  auto start = std::chrono::steady_clock::now();
  Findings findings;
  Seen seen;
  std::vector<State> edge = {model.initial()};
  seen.add(printOf(edge[0]), 0);
  std::array<std::size_t, Step::KINDS> counts = {};
  Print brokenAfter = 0;
  Print brokenAt = 0;
  while (!edge.empty() && brokenAfter == 0 && seen.size() < limit) {
    std::vector<State> next;
    for (auto& state: edge) {
      auto from = printOf(state);
      model.successors(state, [&](const Step& step, const State& to, Broken broken) {
        if (brokenAfter != 0) return;
        ++findings.transitions;
        ++counts[static_cast<std::size_t>(step.kind)];
        auto print = printOf(to);
        if (broken != nullptr) {
          findings.broken = broken;
          brokenAfter = from;
          brokenAt = print;
          return;
        }
        if (seen.add(print, from)) next.push_back(to);
      });
      if (brokenAfter != 0 || seen.size() >= limit) break;
    }
    if (!next.empty() || brokenAfter != 0) ++findings.depth;
    edge.swap(next);
  }
  for (std::size_t kind = 0; kind < counts.size(); ++kind) {
    if (counts[kind] > 0) {
      findings.steps[nameOf(static_cast<Step::Kind>(kind))] = counts[kind];
    }
  }
  findings.complete = brokenAfter == 0 && edge.empty();
  findings.states = seen.size();
  if (brokenAfter != 0) findings.trace = retrace(model, seen, brokenAfter, brokenAt);
  std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  findings.seconds = taken.count();
  return findings;
}

}  // namespace gavel::model
