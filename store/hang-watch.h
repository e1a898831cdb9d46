#pragma once

#include <cstdint>

namespace gavel {

// Decides whether a disk hangs: none of the calls made to it has ended for a number of checks,
// though one is under way (R12).  Progress counts, not whole requests: a disk that takes long for
// each of many calls crawls, and does not hang.
//
// Checks are counted and not time, since time also passes while this process is paused.  Only
// checks of an event loop that was itself on time count.
//
// Pure: no clock, I/O or promises.
class HangWatch {
public:
  explicit HangWatch(unsigned patience): patience_(patience) {}

  // At this check, `ended` calls have ended since the store was opened, and `busy` says whether one
  // is under way.  `onTime` says whether this check came when it was due.
  void check(std::uint64_t ended, bool busy, bool onTime) {
    if (!busy || ended != lastEnded) {
      silent_ = 0;
    } else if (onTime) {
      ++silent_;
    }
    lastEnded = ended;
  }

  // The number of checks without progress after which a disk hangs.
  unsigned patience() const { return patience_; }
  bool hangs() const { return silent_ >= patience_; }
  // The number of checks without progress so far.
  unsigned silent() const { return silent_; }

private:
  unsigned patience_;
  std::uint64_t lastEnded = 0;
  unsigned silent_ = 0;
};

}  // namespace gavel
