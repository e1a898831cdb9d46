#pragma once

#include <cstdint>

#include <kj/async.h>
#include <kj/timer.h>

#include "base/recent-durations.h"

namespace gavel {

// Measures the turns of a thread's event loop (R16): a turn is all that is done between two waits
// for something to happen.  While one lasts, nothing else is answered, signs of life included.
//
// It sees them by a timer that rings each TICK: a ring that is late was held up by a turn.  So a
// turn longer than TICK is always seen, and measured up to TICK too short; most shorter ones are
// not seen.  (To measure each, the loop would have to be run from outside, and KJ 0.9.2 does not
// say then whether something is left for the end of a turn.)
//
// The status reports the longest, and one of WARNED or more goes to the log, at most once in
// WARN_PERIOD.
class TurnMeter {
public:
  static constexpr auto TICK = 25 * kj::MILLISECONDS;
  static constexpr auto WARNED = 100 * kj::MILLISECONDS;
  static constexpr auto WARN_PERIOD = 60 * kj::SECONDS;
  // longest() covers at least the last PERIOD, and at most twice as much.
  static constexpr auto PERIOD = 10 * kj::SECONDS;

  struct Longest {
    kj::Duration turn = 0 * kj::SECONDS;
    // The longest by the processor's time for this thread, which says more where others keep the
    // processor busy.
    kj::Duration ownTime = 0 * kj::SECONDS;
  };

  // Measures the loop that this is called in.  `timer` must outlive this object.
  explicit TurnMeter(kj::Timer& timer);
  KJ_DISALLOW_COPY(TurnMeter);

  // Returns the longest turn of late.
  Longest longest() const;
  // Returns by how much each tick of the last ten seconds was late.  A processor that is too slow,
  // or that others keep busy, delays everybody who waits for this loop by that much.
  RecentDurations::Summary ticks() const;

private:
  kj::Timer& timer;
  kj::TimePoint periodBegan;
  kj::Duration ownTimeBefore;  // As of the last tick.
  Longest current;
  Longest previous;
  RecentDurations recent;
  kj::Maybe<kj::TimePoint> warnedAt;
  std::uint64_t unsaid = 0;  // Long turns since warnedAt that were not logged.
  kj::Promise<void> ticking;

  kj::Promise<void> tick();
  void note(kj::TimePoint now, kj::Duration late);
  void warn(kj::TimePoint now, kj::Duration turn, kj::Duration own);
};

}  // namespace gavel
