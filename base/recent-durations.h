#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace gavel {

// How long something took of late, over and over: what ended within the last ten seconds, as counts
// in steps of a quarter of a doubling, so that adding costs no allocation and no search.
//
// Times are those of one clock that never goes backwards.  Pure: no clock, I/O or promises.
class RecentDurations {
public:
  using Duration = std::chrono::nanoseconds;

  // It ended at `now`.
  void add(Duration now, Duration took);

  struct Summary {
    std::uint64_t count = 0;
    Duration sum{0};
    // Within a fifth of the true one; 0 if there is none.
    Duration median{0};
  };
  // Of what ended within the ten seconds before `now`, and of one more that has not ended, but
  // takes `unfinished` so far; 0: there is none.
  Summary summary(Duration now, Duration unfinished = Duration(0)) const;

private:
  static constexpr std::size_t SECONDS = 10;
  static constexpr std::size_t STEPS_PER_DOUBLING = 4;
  // The first holds all up to a microsecond, the last all from an hour on.
  static constexpr std::size_t STEPS = 32 * STEPS_PER_DOUBLING;

  struct Second {
    std::int64_t number = -1;  // Since the clock's origin.
    std::uint64_t count = 0;
    Duration sum{0};
    std::array<std::uint32_t, STEPS> steps{};
  };
  std::array<Second, SECONDS> seconds;

  static std::size_t stepOf(Duration took);
  static Duration middleOf(std::size_t step);
};

}  // namespace gavel
