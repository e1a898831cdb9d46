#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace gavel {

// How long something took each time of late: whatever ended in the current second or in the nine
// before it.  Durations are counted in steps of a quarter of a doubling, so that adding one needs
// neither allocation nor search.
//
// Times are those of one clock that never goes backwards.  Pure: no clock, I/O or promises.
class RecentDurations {
public:
  using Duration = std::chrono::nanoseconds;

  // Adds one that ended at `now`.
  void add(Duration now, Duration took);

  struct Summary {
    std::uint64_t count = 0;
    Duration sum{0};
    // Differs from the true one by a fifth at most; 0 if there is none.
    Duration median{0};
  };
  // Sums up what ended in the second of `now` or in the nine before it, and one more that has not
  // ended and has taken `unfinished` so far; 0 if there is none.
  Summary summary(Duration now, Duration unfinished = Duration(0)) const;

private:
  static constexpr std::size_t SECONDS = 10;
  static constexpr std::size_t STEPS_PER_DOUBLING = 4;
  // The first step holds all up to about a microsecond, the last one all from an hour on.
  static constexpr std::size_t STEPS = 32 * STEPS_PER_DOUBLING;

  struct Second {
    std::int64_t number = -1;  // Counted from the clock's origin.
    std::uint64_t count = 0;
    Duration sum{0};
    std::array<std::uint32_t, STEPS> steps{};
  };
  std::array<Second, SECONDS> seconds;

  static std::size_t stepOf(Duration took);
  static Duration middleOf(std::size_t step);
};

}  // namespace gavel
