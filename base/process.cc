#include "base/process.h"

#include <algorithm>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include <kj/debug.h>

namespace gavel {
namespace {

// How many events the loop handles in a row before it looks at its clock and for new ones.
constexpr unsigned BUSY_POLL = 1000;

}  // namespace

unsigned raiseFileLimit() {
  struct rlimit limit {};
  KJ_SYSCALL(getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = limit.rlim_max;
  KJ_SYSCALL(setrlimit(RLIMIT_NOFILE, &limit));
  return static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, 1u << 20));
}

kj::Maybe<kj::Duration> cpuTimeOf(int pid) {
  clockid_t clock = 0;
  struct timespec time {};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return nullptr;
  return time.tv_sec * kj::SECONDS + time.tv_nsec * kj::NANOSECONDS;
}

void captureStopSignals() {
  kj::UnixEventPort::captureSignal(SIGINT);
  kj::UnixEventPort::captureSignal(SIGTERM);
}

kj::AsyncIoContext setUpEventLoop() {
  auto io = kj::setupAsyncIo();
  io.waitScope.setBusyPollInterval(BUSY_POLL);
  return io;
}

kj::Promise<int> onStopSignal(kj::UnixEventPort& port) {
  return port.onSignal(SIGINT).exclusiveJoin(port.onSignal(SIGTERM)).then([](siginfo_t&& info) {
    return info.si_signo;
  });
}

}  // namespace gavel
