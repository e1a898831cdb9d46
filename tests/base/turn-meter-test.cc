#include "base/turn-meter.h"

#include <time.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "base/process.h"
#include "base/turn-budget.h"

namespace gavel {
namespace {

kj::Duration ownTime() {
  struct timespec time {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * kj::SECONDS + time.tv_nsec * kj::NANOSECONDS;
}

void workFor(kj::Duration time) {
  auto end = ownTime() + time;
  while (ownTime() < end) {
  }
}

class TurnMeterTest: public testing::Test {
protected:
  kj::AsyncIoContext io = setUpEventLoop();
  kj::Timer& timer = io.provider->getTimer();
  TurnMeter meter{timer};

  ~TurnMeterTest() noexcept override = default;

  // Runs long enough for a tick after the last event.
  void runOn() { timer.afterDelay(4 * TurnMeter::TICK).wait(io.waitScope); }
};

TEST_F(TurnMeterTest, SeesALongTurnAndItsOwnTime) {
  // Several events of one turn count together.
  kj::evalLater([]() {
    workFor(40 * kj::MILLISECONDS);
  }).then([]() {
      workFor(40 * kj::MILLISECONDS);
    }).wait(io.waitScope);
  runOn();
  EXPECT_GE(meter.longest().turn, 80 * kj::MILLISECONDS - TurnMeter::TICK);
  EXPECT_GE(meter.longest().ownTime, 80 * kj::MILLISECONDS - TurnMeter::TICK);
  EXPECT_LE(meter.longest().ownTime, meter.longest().turn);
}

TEST_F(TurnMeterTest, CountsWhatOthersTookAsNoTimeOfItsOwn) {
  timer.afterDelay(1 * kj::MILLISECONDS).then([]() { usleep(120'000); }).wait(io.waitScope);
  runOn();
  EXPECT_GE(meter.longest().turn, 120 * kj::MILLISECONDS - TurnMeter::TICK);
  EXPECT_LT(meter.longest().ownTime, 60 * kj::MILLISECONDS);
}

TEST_F(TurnMeterTest, SaysByHowMuchTicksAreLate) {
  for (int i = 0; i < 5; ++i) {
    timer.afterDelay(1 * kj::MILLISECONDS).then([]() { usleep(120'000); }).wait(io.waitScope);
  }
  runOn();
  auto ticks = meter.ticks();
  EXPECT_GE(ticks.count, 5u);
  EXPECT_GE(ticks.sum, std::chrono::milliseconds(5 * (120 - 25)));
  for (int i = 0; i < 20; ++i) runOn();
  EXPECT_GT(meter.ticks().count, ticks.count);
  EXPECT_LT(meter.ticks().median, std::chrono::milliseconds(95)) << "most were in time";
}

TEST_F(TurnMeterTest, TakesWorkInSlicesForSeveralTurns) {
  unsigned slices = 0;
  kj::Function<kj::Promise<void>()> next = [&]() -> kj::Promise<void> {
    workFor(4 * kj::MILLISECONDS);
    if (++slices == 50) return kj::READY_NOW;
    return timer.afterDelay(0 * kj::SECONDS).then([&]() { return next(); });
  };
  next().wait(io.waitScope);
  runOn();
  EXPECT_LT(meter.longest().ownTime, 100 * kj::MILLISECONDS) << "all are taken for one turn";
}

// A clock on which each piece of work takes a given time.
class SteppingClock final: public WorkClock {
public:
  std::int64_t now() const override { return time += 1'000'000; }
  mutable std::int64_t time = 0;
};

TEST(TurnBudget, IsSpentByTimeAndLooksAtTheClockNowAndThen) {
  SteppingClock clock;
  TurnBudget budget({&clock, 10}, 2 * kj::MILLISECONDS);
  unsigned units = 0;
  for (;;) {
    ++units;
    if (!budget.spend(1)) break;
  }
  EXPECT_EQ(units, 30u) << "the first look begins it";
  EXPECT_TRUE(budget.spent());
  EXPECT_FALSE(budget.spend(1));
  EXPECT_EQ(clock.time, 3'000'000);
  budget.restart();
  EXPECT_TRUE(budget.spend(9));
  EXPECT_EQ(clock.time, 3'000'000) << "little work takes no look";
}

TEST(TurnBudget, GoesOnWithinATurnAndBeginsAnewInTheNext) {
  SteppingClock clock;
  TurnBudget budget({&clock, 1}, 1 * kj::MILLISECONDS);
  auto turn = kj::origin<kj::TimePoint>() + 5 * kj::SECONDS;
  budget.resume(turn);
  EXPECT_TRUE(budget.spend(1));
  EXPECT_FALSE(budget.spend(1));
  budget.resume(turn);
  EXPECT_TRUE(budget.spent());
  budget.resume(turn + 1 * kj::NANOSECONDS);
  EXPECT_FALSE(budget.spent());
}

}  // namespace
}  // namespace gavel
