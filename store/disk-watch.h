#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include "store/hang-watch.h"
#include "store/store.h"

namespace gavel {

// Looks at a store's disk twice a second, and has it probed while nothing else is written.  So a
// disk that hangs is noticed even when nobody bids (R12).
class DiskWatch {
public:
  static constexpr auto CHECK = 500 * kj::MILLISECONDS;
  // How long an idle disk goes without a probe.  Disks that hang together are found at most this
  // and a CHECK apart.  The master waits for at least as long before it takes anybody out.
  static constexpr auto PROBE = 1 * kj::SECONDS;

  DiskWatch(Store& store, kj::Timer& timer, kj::Duration patience)
      : store(store),
        timer(timer),
        watch(static_cast<unsigned>(kj::max<std::int64_t>(1, patience / CHECK))),
        longWatch(12 * watch.patience()) {}
  KJ_DISALLOW_COPY(DiskWatch);

  // Calls `checked` after each look.  Runs until it is dropped.
  kj::Promise<void> run(kj::Function<void()> checked);

  bool hangs() const { return watch.hangs(); }
  // Whether it has hung for twelve times as long as it takes to count as hanging.
  bool hangsForLong() const { return watch.silent() >= longWatch; }

private:
  Store& store;
  kj::Timer& timer;
  HangWatch watch;
  const unsigned longWatch;
  std::uint64_t lastEnded = 0;
  unsigned idleChecks = 0;

  void look(bool onTime);
};

}  // namespace gavel
