#pragma once

#include <cstdint>

#include <kj/async-io.h>
#include <kj/async-unix.h>

namespace gavel {

// Runs a thread's event loop and measures its turns (R16): a turn is all that is done between two
// waits for something to happen.  While one lasts, nothing else is answered, signs of life
// included.
//
// The longest is told in the status, and one above WARNED goes to the log, at most once in
// WARN_PERIOD.  Costs a look at the clock a turn.
class TurnMeter {
public:
  static constexpr auto WARNED = 100 * kj::MILLISECONDS;
  static constexpr auto WARN_PERIOD = 60 * kj::SECONDS;
  // What is told is the longest of at least this time, and at most twice as much.
  static constexpr auto PERIOD = 10 * kj::SECONDS;

  struct Longest {
    kj::Duration turn = 0 * kj::SECONDS;
    // Likewise of the processor's time for this thread, which says more where others keep the
    // processor busy.  Up to a millisecond too much; 0 where none took more than a few of them.
    kj::Duration ownTime = 0 * kj::SECONDS;
  };

  // `io` must outlive this object.
  explicit TurnMeter(kj::AsyncIoContext& io);
  KJ_DISALLOW_COPY(TurnMeter);

  // As promise.wait(io.waitScope).
  int run(kj::Promise<int> promise);

  // Of late.
  Longest longest() const;

private:
  kj::AsyncIoContext& io;
  kj::Timer& timer;
  kj::TimePoint began;
  kj::TimePoint sampledAt;
  kj::Duration sampled;  // The processor's time for this thread, as of then.
  kj::TimePoint periodBegan;
  Longest current;
  Longest previous;
  kj::Maybe<kj::TimePoint> warnedAt;
  std::uint64_t unsaid = 0;  // Since then.

  void waitForEvents();
  void begin();
  void end();
  void warn(kj::TimePoint now, kj::Duration turn, kj::Duration ownTime);
};

}  // namespace gavel
