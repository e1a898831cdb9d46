#pragma once

#include <cstdint>

#include "auction/command.h"
#include "base/clock.h"

namespace gavel::chain {

// Chain time as one node has it (R15).  The head stamps with it, alarms go by it, and answers
// report it as `now`.
//
// It is the higher one of two times:
// - the time of the newest entry of this node's log, advanced by what has passed since this node
//   gave it, took it from the wire or read it from its disk, and
// - the clock: the wall clock as it was when this process last looked at it, advanced by the time
//   since boot, so that steps of the wall clock change nothing.
//
// So it never goes backwards from one entry to the next.  It goes on at the rate of real time also
// where it is ahead of every clock, because clocks were wrong once or were set back.  Across heads,
// each adds only what passed after it had the entry.
//
// A clock that is more than maxLeap above the first of the two is not believed.  It is left out
// until it is looked at again and found right, or until an operator accepts it.
//
// Pure but for the clocks, which are injected.  Times are nanoseconds.  A time `boot` is what
// sinceBoot() returned, so that one reading of the clock serves for all that belongs together.
class ChainTime {
public:
  static constexpr std::int64_t DEFAULT_MAX_LEAP = std::int64_t{7} * 24 * 3600 * 1'000'000'000;
  // After a leap above this nobody's session expires for a while (sinceLeap()).
  static constexpr std::int64_t SMALL_LEAP = std::int64_t{60} * 1'000'000'000;

  // Looks at the wall clock for the first time.  `clock` outlives this object.
  explicit ChainTime(const SystemClock& clock, std::int64_t maxLeap = DEFAULT_MAX_LEAP);

  std::int64_t sinceBoot() const { return system.sinceBoot(); }

  // The clock, apart from chain time.
  std::int64_t clockAt(std::int64_t boot) const { return boot + offset; }
  std::int64_t clock() const { return clockAt(sinceBoot()); }
  // Looks at the wall clock again.  It may be called only where nothing is stamped by that clock:
  // as a node that the master does not let in, or as a head whose clock is not believed.
  void takeClock();

  // Chain time at `boot`, which is the stamp of an entry given then.  It is above that of
  // the last one.
  auction::Stamp at(std::int64_t boot) const;
  auction::Stamp now() const { return at(sinceBoot()); }

  // The newest entry of the log has this stamp, and was given here or taken from the
  // wire at `boot`.
  void noted(auction::Stamp stamp, std::int64_t boot);
  // What is on the disk was read.  Its newest entry has this stamp; 0: there is none.
  void read(auction::Stamp stamp);

  // By how much the clock is above what has passed, if that is more than maxLeap; 0 if the clock is
  // believed.  An empty log has nothing to compare it with, so any clock is believed.
  std::int64_t leapAt(std::int64_t boot) const;
  // An operator says that the clock is right: the next entry is stamped by it.
  void acceptLeap() { accepted = true; }

  // How long ago chain time may have leapt by more than SMALL_LEAP.  Either that was seen between
  // two entries, or the log was read, and nobody has seen what passed before.
  std::int64_t sinceLeap(std::int64_t boot) const { return boot - leaptAt; }

  // How long ago this node had the newest entry, or since when it has had an empty log.
  std::int64_t sinceEntry(std::int64_t boot) const { return boot - lastAt; }

private:
  const SystemClock& system;
  std::int64_t maxLeap;
  std::int64_t offset = 0;  // What to add to the time since boot to get the clock.
  auction::Stamp last = 0;  // The newest entry's stamp; 0: there is none.
  std::int64_t lastAt;      // When this node had that entry.
  std::int64_t leaptAt;
  bool accepted = false;  // Holds until the next entry.

  auction::Stamp byRate(std::int64_t boot) const;
};

}  // namespace gavel::chain
