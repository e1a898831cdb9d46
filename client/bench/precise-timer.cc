#include "client/bench/precise-timer.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <kj/debug.h>

namespace gavel::client::cli {
namespace {

int makeTimer() {
  int fd = -1;
  KJ_SYSCALL(fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  return fd;
}

}  // namespace

PreciseTimer::PreciseTimer(kj::UnixEventPort& port)
    : fd(makeTimer()), observer(port, fd, kj::UnixEventPort::FdObserver::OBSERVE_READ) {}

kj::Promise<void> PreciseTimer::at(kj::TimePoint when) {
  auto left = (when - kj::systemPreciseMonotonicClock().now()) / kj::NANOSECONDS;
  if (left <= 0) return kj::READY_NOW;
  struct itimerspec spec {};
  spec.it_value.tv_sec = left / 1'000'000'000;
  spec.it_value.tv_nsec = left % 1'000'000'000;
  KJ_SYSCALL(timerfd_settime(fd, 0, &spec, nullptr));
  return observer.whenBecomesReadable().then([this, when]() {
    std::uint64_t expirations = 0;
    ssize_t n = 0;
    KJ_NONBLOCKING_SYSCALL(n = read(fd, &expirations, sizeof(expirations)));
    return at(when);  // The timer may have been readable since an earlier wait.
  });
}

}  // namespace gavel::client::cli
