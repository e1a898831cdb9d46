#include "base/recent-durations.h"

#include <algorithm>
#include <cmath>

namespace gavel {
namespace {

constexpr double SHORTEST = 1000;  // Nanoseconds.

std::int64_t secondOf(std::chrono::nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time).count();
}

}  // namespace

std::size_t RecentDurations::stepOf(Duration took) {
  auto doublings = std::log2(std::max(static_cast<double>(took.count()), SHORTEST) / SHORTEST);
  return std::min(static_cast<std::size_t>(doublings * STEPS_PER_DOUBLING), STEPS - 1);
}

RecentDurations::Duration RecentDurations::middleOf(std::size_t step) {
  auto doublings = (static_cast<double>(step) + 0.5) / STEPS_PER_DOUBLING;
  return Duration(static_cast<std::int64_t>(SHORTEST * std::exp2(doublings)));
}

void RecentDurations::add(Duration now, Duration took) {
  auto number = secondOf(now);
  auto& second = seconds[static_cast<std::size_t>(number) % SECONDS];
  if (second.number != number) {
    second = Second();
    second.number = number;
  }
  ++second.count;
  second.sum += took;
  ++second.steps[stepOf(took)];
}

RecentDurations::Summary RecentDurations::summary(Duration now, Duration unfinished) const {
  Summary summary;
  std::array<std::uint64_t, STEPS> steps{};
  auto last = secondOf(now);
  for (auto& second: seconds) {
    if (second.number <= last - static_cast<std::int64_t>(SECONDS)) continue;
    summary.count += second.count;
    summary.sum += second.sum;
    for (std::size_t i = 0; i < STEPS; ++i) steps[i] += second.steps[i];
  }
  if (unfinished > Duration(0)) {
    ++summary.count;
    summary.sum += unfinished;
    ++steps[stepOf(unfinished)];
  }
  auto before = (summary.count + 1) / 2;
  for (std::size_t i = 0; i < STEPS && before > 0; ++i) {
    if (steps[i] >= before) summary.median = middleOf(i);
    before -= std::min(steps[i], before);
  }
  return summary;
}

}  // namespace gavel
