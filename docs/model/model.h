#pragma once

#include <functional>
#include <string>

#include "docs/model/state.h"
#include "docs/model/variant.h"

namespace gavel::model {

// One atomic event.  Its name has the rule that it belongs to (describe.cc).
struct Step {
  enum class Kind : Byte {
    bid,          // The head of the configuration of `slot` takes a bid.
    persist,      // `slot` has synced its log up to `number`.
    append,       // Place `number` of `config` takes what its predecessor sent.
    ack,          // Place `number` - 1 of `config` takes the number that `number` sent.
    toHead,       // The head of `config` takes the commit index that its tail has sent.
    adopt,        // `slot` adopts `config`.
    attach,       // The tail `slot` and its syncing member seek the last shared position.
    snapshot,     // The tail `slot` gives its syncing member a snapshot.
    gate,         // The tail `slot` gates its syncing member.
    report,       // The tail `slot` reports the gate.
    crash,        // The process of `slot` ends; the next finds `number` written entries.
    powerLoss,    // The process of `slot` ends; the next finds the synced entries.
    store,        // A master stores the next configuration.
    announce,     // A master announces a configuration that is not stored.
    restart,      // A master stores a configuration of restarted members (R11).
    query,        // A client asks `slot`.
    word,         // Place `number` confirms that it is still in the epoch of the query.
    answer,       // The query is answered.
    confirm,      // In a variant: `slot` starts a confirm before there is a query.
    reject,       // In a variant: the head answers from uncommitted state.
    note,         // `slot` notes on its disk what it knows to be committed (R11).
    told,         // The masters' store takes that note.
    copy,         // The process of `slot` ends; the next finds an older copy: `number` entries.
    recover,      // A master stores `slot` alone, on an operator's order (R11).
    ask,          // A master that is rebuilt asks for promises at configuration `number`.
    promise,      // `slot` gives its promise.
    rebuild,      // All have promised: the rebuilt master stores its first configuration.
    lostStore,    // The lost master still runs, and stores the next configuration.
    lostRestart,  // The same, with a configuration of restarted members.
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
  // Whether nodes compare what they receive with what they have, and halt if R4 is broken (R6, R9).
  // Without that net they use indexes only, and clients see what follows from it.
  bool nets = true;
  // Whether to check also what no client sees at once: R4, and where acknowledged entries are.
  bool innerProperties = true;
  // Whether words and answers of reads are steps of their own, instead of following at once
  // (reads.cc).
  bool eachWord = false;
};

const char* nameOf(Step::Kind kind);

// The property that a step breaks; null if none.
using Broken = const char*;

// Called with a step, the state after it, and the property that it breaks.
using Emit = std::function<void(const Step&, const State&, Broken)>;

// The rules of the protocol as transitions.  It is pure.
class Model {
public:
  explicit Model(Options options): options(options) {}

  State initial() const;
  void successors(const State& state, const Emit& emit) const;

  // One line for people about a step from `before` to `after`.
  std::string describe(const Step& step, const State& before, const State& after) const;
  static std::string describe(const State& state);

private:
  const Options options;
};

}  // namespace gavel::model
