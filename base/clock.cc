#include "base/clock.h"

#include <time.h>

#include <kj/debug.h>

namespace gavel {
namespace {

std::int64_t read(clockid_t id) {
  struct timespec time {};
  KJ_SYSCALL(clock_gettime(id, &time), "reading a clock of this machine");
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::int64_t RealClock::wall() const {
  return read(CLOCK_REALTIME);
}
std::int64_t RealClock::sinceBoot() const {
  return read(CLOCK_BOOTTIME);
}

}  // namespace gavel
