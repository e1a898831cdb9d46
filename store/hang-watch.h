#pragma once

#include <cstdint>

namespace gavel {

// Tells whether a disk hangs: none of the calls that were made to it has ended for so many checks,
// though one is under way (R12).  It is progress that counts, not whole requests: a disk that takes
// long for each of many calls crawls, and does not hang.
//
// Checks are counted, and not time, which passes also while this process is paused; and only those
// of an event loop that was itself on time.
//
// Pure: no clock, I/O or promises.
class HangWatch {
public:
  explicit HangWatch(unsigned patience): patience_(patience) {}

  // By the last check, `ended` calls had ended since the store was opened, and one was under way,
  // or not.  `onTime`: this check came when it was due.
  void check(std::uint64_t ended, bool busy, bool onTime) {
    if (!busy || ended != lastEnded) {
      silent_ = 0;
    } else if (onTime) {
      ++silent_;
    }
    lastEnded = ended;
  }

  // Checks.
  unsigned patience() const { return patience_; }
  bool hangs() const { return silent_ >= patience_; }
  // Checks without progress so far.
  unsigned silent() const { return silent_; }

private:
  unsigned patience_;
  std::uint64_t lastEnded = 0;
  unsigned silent_ = 0;
};

}  // namespace gavel
