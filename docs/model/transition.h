#pragma once

#include "docs/model/model.h"

namespace gavel::model {

// One step under way: a copy of the state, changed by the rules, and the property that this breaks.
//
// The rules of the chain are in chain.cc, those of the master in master.cc, bounds and orders that
// give entries up in bounds.cc, reads in reads.cc, the properties in properties.cc.
class Transition {
public:
  Transition(const State& before, const Options& options)
      : before(before), options(options), state(before) {}

  // Begins another step from the same state.
  void begin() {
    state = before;
    broken_ = nullptr;
  }

  // Ends the step.  It takes the words of reads that can be given, checks the properties, and drops
  // what cannot matter any more.
  void finish();

  const State& result() const { return state; }
  Broken broken() const { return broken_; }

  // -- chain.cc.  Each returns false, and changes nothing, if the event cannot happen.
  bool bid(int slot);
  bool persist(int slot, int upTo);
  bool takeAppend(int config, int place);
  bool takeAck(int config, int place);
  bool takeToHead(int config);
  bool adopt(int slot, int config);
  bool attach(int slot, bool snapshot);
  bool gate(int slot);
  bool report(int slot);
  bool crash(int slot, int kept, bool powerLoss);

  // -- master.cc
  bool store(const Configuration& next, bool announceOnly);
  bool restart(const Configuration& next);

  // -- bounds.cc
  bool note(int slot);
  bool told(int slot);
  bool copy(int slot, int kept);
  bool recover(int slot);

  // -- rebuild.cc
  bool ask(int number);
  bool promise(int slot);
  bool rebuild();
  bool storeByLost(const Configuration& next);

  // -- reads.cc
  bool query(int slot);
  bool word(int place);
  bool answer();
  bool confirmEarly(int slot, int relay);
  bool reject(int slot);

private:
  const State& before;
  const Options& options;
  State state;
  Broken broken_ = nullptr;

  bool is(Variant variant) const { return options.variant == variant; }
  void breaks(Broken property) {
    if (broken_ == nullptr) broken_ = property;
  }

  // Chain.
  void settle(int slot);
  void decide(Node& node, const Configuration& config, int place);
  void send(int slot);
  void takeLog(Node& node, const Log& sent);
  Byte known(const Node& node, int told);
  void committedAtTail(const Node& node, int upTo);
  void tell(const Log& log, int upTo);
  void answer(int slot);

  // Bounds.
  bool mayGiveUp(const Node& node) const;
  bool knowsHere(int slot) const;
  bool isGivenUp(const Node& node) const;
  bool isShort(const Configuration& config) const;
  void requireBound(const Node& joiner, const Node& tail);
  void checkCopies(int slot, int upTo);

  // Rebuilding.
  bool forbids(const Node& node, const Configuration& config) const;
  bool isReleased(const Node& node) const;

  // Reads.
  void followReads();
  bool complete() const;

  void forget();
  void check();
  void checkInner();
};

// The place of the present process of `slot` in `config`; -1 if it is no member.
int placeOf(const State& state, const Configuration& config, int slot);
// Whether the process that `member` names still runs.
bool runs(const State& state, Member member);
// Whether it runs and acts in configuration number `config`.
bool actsIn(const State& state, Member member, int config);
// The index that it passes on as durable on itself and all nodes upstream (R5).
int durableForSuccessor(const Node& node, int place);

// master.cc: calls back with each configuration that may follow the last stored one (R3), and each
// that may follow it after a total outage (R11).
void forEachNext(const State& state, const Options& options,
                 const std::function<void(const Configuration&)>& use);
void forEachRestart(const State& state, const Options& options,
                    const std::function<void(const Configuration&)>& use);

// rebuild.cc: the state as the lost master sees it, with its own last configuration and gate.
State asTheLostSees(const State& state);

}  // namespace gavel::model
