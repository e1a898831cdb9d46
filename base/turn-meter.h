#pragma once

#include <cstdint>

#include <kj/async.h>
#include <kj/timer.h>

#include "base/recent-durations.h"

namespace gavel {

// Measures the turns of a thread's event loop (R16): a turn is all that is done between two waits
// for something to happen.  While one lasts, nothing else is answered, signs of life included.
//
// It sees them by a timer: what rings at TICK and comes later was held up by a turn.  So a turn
// longer than TICK is always seen, and told up to TICK too short; shorter ones mostly are not.  (To
// measure each, the loop would have to be run from outside; KJ 0.9.2 does not tell then whether
// something is left for the end of a turn.)
//
// The longest is told in the status, and one above WARNED goes to the log, at most once in
// WARN_PERIOD.
class TurnMeter {
public:
  static constexpr auto TICK = 25 * kj::MILLISECONDS;
  static constexpr auto WARNED = 100 * kj::MILLISECONDS;
  static constexpr auto WARN_PERIOD = 60 * kj::SECONDS;
  // What is told is the longest of at least this time, and at most twice as much.
  static constexpr auto PERIOD = 10 * kj::SECONDS;

  struct Longest {
    kj::Duration turn = 0 * kj::SECONDS;
    // Likewise of the processor's time for this thread, which says more where others keep the
    // processor busy.
    kj::Duration ownTime = 0 * kj::SECONDS;
  };

  // Of the loop that this is called in.  `timer` must outlive this object.
  explicit TurnMeter(kj::Timer& timer);
  KJ_DISALLOW_COPY(TurnMeter);

  // Of late.
  Longest longest() const;
  // By how much each tick of the last ten seconds came late: what a processor that is too slow, or
  // that others keep busy, takes of everybody who waits for this loop.
  RecentDurations::Summary ticks() const;

private:
  kj::Timer& timer;
  kj::TimePoint periodBegan;
  kj::Duration ownTimeBefore;  // As of the last tick.
  Longest current;
  Longest previous;
  RecentDurations recent;
  kj::Maybe<kj::TimePoint> warnedAt;
  std::uint64_t unsaid = 0;  // Since then.
  kj::Promise<void> ticking;

  kj::Promise<void> tick();
  void note(kj::TimePoint now, kj::Duration late);
  void warn(kj::TimePoint now, kj::Duration turn, kj::Duration own);
};

}  // namespace gavel
