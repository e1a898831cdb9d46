#pragma once

#include <optional>

#include <kj/async.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "auction/command.h"
#include "chain/chain-time.h"

namespace gavel::head {

// Rings once when chain time reaches the next deadline, or after CHECK if that is earlier, so that
// rarer housekeeping gets its turn.  Whoever it calls looks at the time, and sets the alarm again.
class DeadlineAlarm {
public:
  static constexpr auto CHECK = 1 * kj::SECONDS;

  DeadlineAlarm(kj::Timer& timer, const chain::ChainTime& time, kj::Function<void()> ring);
  KJ_DISALLOW_COPY(DeadlineAlarm);

  // Sets the next deadline, if there is one.  Must not be called from within `ring`.
  void set(std::optional<auction::Stamp> deadline);

private:
  kj::Timer& timer;
  const chain::ChainTime& time;
  kj::Function<void()> ring;
  kj::Promise<void> armed;
};

}  // namespace gavel::head
