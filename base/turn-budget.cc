#include "base/turn-budget.h"

#include <time.h>

#include <kj/debug.h>

namespace gavel {
namespace {

class MonotonicClock final: public WorkClock {
public:
  std::int64_t now() const override {
    struct timespec time {};
    KJ_SYSCALL(clock_gettime(CLOCK_MONOTONIC, &time), "reading a clock of this machine");
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  }
};

}  // namespace

const WorkClock& realWorkClock() {
  static const MonotonicClock clock;
  return clock;
}

void TurnBudget::look() {
  units = 0;
  auto now = pace.clock->now();
  if (!begun) {
    begun = true;
    begin = now;
  }
  spent_ = now - begin >= most;
}

}  // namespace gavel
