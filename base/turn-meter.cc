#include "base/turn-meter.h"

#include <chrono>
#include <time.h>

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel {
namespace {

kj::Duration ownTime() {
  struct timespec time {};
  KJ_SYSCALL(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time), "reading a clock of this machine");
  return time.tv_sec * kj::SECONDS + time.tv_nsec * kj::NANOSECONDS;
}

std::chrono::nanoseconds sinceOrigin(kj::TimePoint time) {
  return std::chrono::nanoseconds((time - kj::origin<kj::TimePoint>()) / kj::NANOSECONDS);
}

}  // namespace

TurnMeter::TurnMeter(kj::Timer& timer)
    : timer(timer),
      periodBegan(timer.now()),
      ownTimeBefore(ownTime()),
      ticking(tick().eagerlyEvaluate(nullptr)) {}

kj::Promise<void> TurnMeter::tick() {
  auto due = timer.now() + TICK;
  return timer.atTime(due).then([this, due]() {
    // timer.now() is when the loop last looked at its clock, which is when it began this turn.
    note(timer.now(), kj::max(0 * kj::SECONDS, timer.now() - due));
    return tick();
  });
}

void TurnMeter::note(kj::TimePoint now, kj::Duration late) {
  auto before = ownTimeBefore;
  ownTimeBefore = ownTime();
  if (now - periodBegan >= PERIOD) {
    previous = now - periodBegan < 2 * PERIOD ? current : Longest();
    current = Longest();
    periodBegan = now;
  }
  auto own = kj::min(late, ownTimeBefore - before);
  recent.add(sinceOrigin(now), std::chrono::nanoseconds(late / kj::NANOSECONDS));
  current.turn = kj::max(current.turn, late);
  current.ownTime = kj::max(current.ownTime, own);
  if (late >= WARNED) warn(now, late, own);
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

RecentDurations::Summary TurnMeter::ticks() const {
  return recent.summary(sinceOrigin(timer.now()));
}

}  // namespace gavel
