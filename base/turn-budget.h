#pragma once

#include <cstddef>
#include <cstdint>

#include <kj/time.h>

namespace gavel {

// Time as far as the length of some work goes, in nanoseconds; never goes back.  Injected, so that
// in a simulation work takes what the seed says and not what the machine needs.
class WorkClock {
public:
  virtual ~WorkClock() noexcept(false) = default;
  virtual std::int64_t now() const = 0;
};
// CLOCK_MONOTONIC.
const WorkClock& realWorkClock();

// How work that is done in slices finds out that a slice is long enough (R16).
struct WorkPace {
  const WorkClock* clock = &realWorkClock();
  // A look at the clock costs as much as a small piece of work, so there is one for so many.
  std::size_t unitsPerLook = 64;
};

// How long one kind of work may take in one turn of the event loop.  Units are pieces of that work
// that take about a microsecond each; their count only says when to look at the clock.
class TurnBudget {
public:
  TurnBudget(const WorkPace& pace, kj::Duration most): pace(pace), most(most / kj::NANOSECONDS) {}

  // A new turn begins.
  void restart() {
    units = 0;
    begun = false;
    spent_ = false;
  }
  // Work is done in the turn that has this timer.now(), which stays the same within a turn: perhaps
  // the same turn as before.
  void resume(kj::TimePoint turn) {
    if (turn == turn_) return;
    turn_ = turn;
    restart();
  }

  // So much is done.  False if that is enough for this turn.
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
