#include "base/turn-meter.h"

#include <time.h>

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel {
namespace {

// So often the processor's time is read before a turn, as that costs as much as a small turn...
constexpr auto SAMPLE_PERIOD = 1 * kj::MILLISECONDS;
// ...and after one only if it was that long.
constexpr auto NOTABLE = 3 * kj::MILLISECONDS;

kj::Duration ownTime() {
  struct timespec time {};
  KJ_SYSCALL(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time), "reading a clock of this machine");
  return time.tv_sec * kj::SECONDS + time.tv_nsec * kj::NANOSECONDS;
}

}  // namespace

TurnMeter::TurnMeter(kj::AsyncIoContext& io)
    : io(io),
      timer(io.provider->getTimer()),
      began(timer.now()),
      sampledAt(began),
      sampled(ownTime()),
      periodBegan(began) {}

int TurnMeter::run(kj::Promise<int> promise) {
  kj::Maybe<int> result;
  kj::Maybe<kj::Exception> failure;
  auto task = promise
                  .then([&](int value) { result = value; },
                        [&](kj::Exception&& exception) { failure = kj::mv(exception); })
                  .eagerlyEvaluate(nullptr);
  for (;;) {
    begin();
    // Done when everything else is that can be done now.
    kj::evalLast([]() {}).wait(io.waitScope);
    end();
    KJ_IF_MAYBE (value, result) {
      return *value;
    }
    KJ_IF_MAYBE (exception, failure) {
      kj::throwFatalException(kj::mv(*exception));
    }
    waitForEvents();
  }
}

void TurnMeter::waitForEvents() {
  if (!io.unixEventPort.wait()) return;
  // Another thread has something for this one, which only the loop itself can take over, when it
  // waits: so it has to wait, for the last of what other threads have.
  auto last = kj::newPromiseAndCrossThreadFulfiller<void>();
  last.fulfiller->fulfill();
  last.promise.wait(io.waitScope);
}

void TurnMeter::begin() {
  began = timer.now();
  if (began - sampledAt < SAMPLE_PERIOD) return;
  sampledAt = began;
  sampled = ownTime();
}

void TurnMeter::end() {
  auto now = kj::systemPreciseMonotonicClock().now();
  auto turn = now - began;
  if (now - periodBegan >= PERIOD) {
    previous = now - periodBegan < 2 * PERIOD ? current : Longest();
    current = Longest();
    periodBegan = now;
  }
  current.turn = kj::max(current.turn, turn);
  if (turn < NOTABLE) return;
  auto own = kj::min(turn, ownTime() - sampled);
  current.ownTime = kj::max(current.ownTime, own);
  if (turn >= WARNED) warn(now, turn, own);
}

void TurnMeter::warn(kj::TimePoint now, kj::Duration turn, kj::Duration own) {
  auto recent = warnedAt.map([&](auto last) { return now - last < WARN_PERIOD; }).orDefault(false);
  if (recent) {
    ++unsaid;
    return;
  }
  logWarning("a turn of the event loop took long, during which nobody was answered",
             {{"ms", turn / kj::MILLISECONDS},
              {"own_ms", own / kj::MILLISECONDS},
              {"others_unsaid", unsaid}});
  warnedAt = now;
  unsaid = 0;
}

TurnMeter::Longest TurnMeter::longest() const {
  return {kj::max(current.turn, previous.turn), kj::max(current.ownTime, previous.ownTime)};
}

}  // namespace gavel
