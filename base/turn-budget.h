#pragma once

#include <cstddef>
#include <cstdint>

#include <kj/time.h>

namespace gavel {

// A clock that measures how long work takes, in nanoseconds.  It never goes back.  Injected, so
// that in a simulation work takes as long as the seed says, and not as long as the machine needs.
class WorkClock {
public:
  virtual ~WorkClock() noexcept(false) = default;
  virtual std::int64_t now() const = 0;
};
// CLOCK_MONOTONIC.
const WorkClock& realWorkClock();

// How work that is done in slices learns that a slice is long enough (R16).
struct WorkPace {
  const WorkClock* clock = &realWorkClock();
  // A look at the clock costs as much as a small piece of work, so there is one for this many.
  std::size_t unitsPerLook = 64;
};

// How long one kind of work may take in one turn of the event loop.  Units are pieces of that work
// that take about a microsecond each; their count only says when to look at the clock.
class TurnBudget {
public:
  TurnBudget(const WorkPace& pace, kj::Duration most): pace(pace), most(most / kj::NANOSECONDS) {}

  // Begins a new turn.
  void restart() {
    units = 0;
    begun = false;
    spent_ = false;
  }
  // Goes on in the turn with this timer.now(), which stays the same within a turn.  It may be the
  // same turn as before.
  void resume(kj::TimePoint turn) {
    if (turn == turn_) return;
    turn_ = turn;
    restart();
  }

  // Adds units that are done.  Returns false if that is enough for this turn.
  bool spend(std::size_t more) {
    units += more;
    if (units >= pace.unitsPerLook) look();
    return !spent_;
  }
  bool spent() const { return spent_; }

private:
  WorkPace pace;
  std::int64_t most;
  kj::TimePoint turn_ = kj::origin<kj::TimePoint>();
  std::size_t units = 0;  // Since the last look.
  bool begun = false;
  std::int64_t begin = 0;  // As of the first look.
  bool spent_ = false;

  void look();
};

}  // namespace gavel
