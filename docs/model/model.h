#pragma once

#include <functional>
#include <string>

#include "docs/model/state.h"
#include "docs/model/variant.h"

namespace gavel::model {

// One atomic event, named by the rule it belongs to (describe.cc).
struct Step {
  enum class Kind : Byte {
    bid,          // The head of slot's configuration takes a bid.
    persist,      // slot has synced its log up to `number`.
    append,       // Place `number` of configuration `config` takes what its predecessor sent.
    ack,          // The one before place `number` of `config` hears what that has told.
    toHead,       // The head of `config` hears from its tail what is committed.
    adopt,        // slot adopts `config`.
    attach,       // The tail `slot` and its syncing member seek the last shared position.
    snapshot,     // The tail `slot` gives its syncing member a snapshot.
    gate,         // The tail `slot` gates.
    report,       // The tail `slot` reports the gate.
    crash,        // slot's process ends, the next one finds `number` entries: what was written.
    powerLoss,    // slot's process ends, the next one finds what was synced.
    store,        // A master stores the next configuration.
    announce,     // A master announces one that is not stored.
    restart,      // A master stores one of restarted members (R11).
    query,        // A client asks slot.
    word,         // Place `number` says that it is still in the epoch of the query.
    answer,       // The query is answered.
    confirm,      // In a variant: slot starts a confirm before there is a query.
    reject,       // In a variant: the head answers from what is not committed.
    note,         // slot notes on its disk what it knows to be committed (R11).
    told,         // The masters' store takes that from slot.
    copy,         // slot's process ends, the next one finds an older copy: `number` entries.
    recover,      // A master stores slot alone, on an operator's order (R11).
    ask,          // A master that is rebuilt asks for promises at configuration `number`.
    promise,      // slot gives it.
    rebuild,      // All have: it stores its first configuration.
    lostStore,    // The lost master, which is not lost, stores the next configuration,
    lostRestart,  // or one of restarted members.
  };
  static constexpr std::size_t KINDS = static_cast<std::size_t>(Kind::lostRestart) + 1;

  Kind kind = Kind::bid;
  Byte slot = 0;
  Byte config = 0;
  Byte number = 0;
};

struct Options {
  Bounds bounds;
  Variant variant = Variant::none;
  // Nodes compare what they are sent with what they have, and halt where R4 is broken (R6, R9).
  // Without that net they go by indexes alone, and what a client gets to see of it shows.
  bool nets = true;
  // Check also what no client sees at once: R4, and where acknowledged entries are.
  bool innerProperties = true;
  // Words and answers of reads are steps of their own, rather than follow at once (reads.cc).
  bool eachWord = false;
};

const char* nameOf(Step::Kind kind);

// The property that a step breaks; null if none.
using Broken = const char*;

// Called with a step, the state it leads to, and what it breaks.
using Emit = std::function<void(const Step&, const State&, Broken)>;

// The protocol's rules as transitions.  Pure.
class Model {
public:
  explicit Model(Options options): options(options) {}

  State initial() const;
  void successors(const State& state, const Emit& emit) const;

  // One line for people, of a step from `before` to `after`.
  std::string describe(const Step& step, const State& before, const State& after) const;
  static std::string describe(const State& state);

private:
  const Options options;
};

}  // namespace gavel::model
