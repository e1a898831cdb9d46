#include "head/deadline-alarm.h"

#include <algorithm>

#include <kj/debug.h>

namespace gavel::head {

DeadlineAlarm::DeadlineAlarm(kj::Timer& timer, const chain::ChainTime& time,
                             kj::Function<void()> ring)
    : timer(timer), time(time), ring(kj::mv(ring)), armed(nullptr) {
  set(std::nullopt);
}

void DeadlineAlarm::set(std::optional<auction::Stamp> deadline) {
  kj::Duration delay = CHECK;
  if (deadline) {
    auto left = std::max<std::int64_t>(0, *deadline - time.now());
    delay = std::min(delay, left * kj::NANOSECONDS);
  }
  armed = timer.afterDelay(delay).then([this]() { ring(); }).eagerlyEvaluate(nullptr);
}

}  // namespace gavel::head
