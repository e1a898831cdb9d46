#pragma once

#include "auction/state.h"

namespace gavel::auction {

// What is to come of an entry, found without changing anything: what judge() tells and apply()
// does. Points into the state it was made from.
struct State::Decision {
  Judgement judgement;

  // The outcome is an earlier one, of the same request.
  bool retry = false;
  // The command takes effect.
  bool runs = false;
  // The outcome is recorded here; null if nothing is to be recorded.
  const Session* session = nullptr;

  // The name that is registered, whether or not the command runs; null for none.
  const Identity* registers = nullptr;
  BidderId asker = 0;  // Who asks, registered just now or before; 0 if that does not matter.
  const Auction* auction = nullptr;

  // Rejects the command for a reason that no later state can undo: no log entry needed (R8).
  void rejectForGood(Outcome::Kind kind) {
    judgement.outcome.kind = kind;
    judgement.log = false;
  }
  // Rejects the command for a reason that a later state might undo.
  void rejectForNow(Outcome::Kind kind) {
    judgement.outcome.kind = kind;
    judgement.log = true;
  }
};

}  // namespace gavel::auction
