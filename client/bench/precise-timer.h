#pragma once

#include <kj/async-unix.h>
#include <kj/io.h>
#include <kj/time.h>

namespace gavel::client::cli {

// Waits for points in time to the microsecond.  KJ's own timer is exact to the millisecond only.
// One wait at a time.
class PreciseTimer {
public:
  explicit PreciseTimer(kj::UnixEventPort& port);
  KJ_DISALLOW_COPY(PreciseTimer);

  // Resolves at `when` on kj::systemPreciseMonotonicClock(), or at once if that has passed.
  kj::Promise<void> at(kj::TimePoint when);

private:
  kj::AutoCloseFd fd;
  kj::UnixEventPort::FdObserver observer;
};

}  // namespace gavel::client::cli
