#pragma once

#include "auction/state.h"

namespace gavel::auction {

// What an entry will do, decided without changing anything.  judge() returns it, and apply()
// carries it out.  It points into the state and the entry that it was made from.
struct State::Decision {
  Judgement judgement;

  // True if the outcome is that of an earlier attempt of the same request.
  bool retry = false;
  // True if the command takes effect.
  bool runs = false;
  // The session that records the outcome; null if none does.
  const Session* session = nullptr;

  // Who is registered, whether or not the command runs; null for nobody.
  const Identity* registers = nullptr;
  BidderId asker = 0;  // Who asks, registered by this entry or before; 0 where it does not matter.
  const Auction* auction = nullptr;

  // Rejects the command for a reason that no later state can undo: it needs no log entry (R8).
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
