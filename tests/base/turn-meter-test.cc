#include "base/turn-meter.h"

#include <time.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "base/process.h"
#include "base/turn-budget.h"
#include "base/worker-thread.h"

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
  TurnMeter meter{io};

  ~TurnMeterTest() noexcept override = default;
};

TEST_F(TurnMeterTest, ReturnsWhatThePromiseGives) {
  EXPECT_EQ(meter.run(timer.afterDelay(1 * kj::MILLISECONDS).then([]() { return 7; })), 7);
  EXPECT_EQ(meter.run(kj::Promise<int>(8)), 8);
}

TEST_F(TurnMeterTest, ThrowsWhatItFailsWith) {
  auto failing = timer.afterDelay(1 * kj::MILLISECONDS).then([]() -> int {
    KJ_FAIL_REQUIRE("it did not work");
  });
  EXPECT_THROW(meter.run(kj::mv(failing)), kj::Exception);
}

TEST_F(TurnMeterTest, TakesWhatOtherThreadsHave) {
  WorkerThread worker;
  int done = 0;
  kj::Function<kj::Promise<int>()> next = [&]() -> kj::Promise<int> {
    if (done == 200) return done;
    return worker.run([]() {}).then([&]() {
      ++done;
      return next();
    });
  };
  EXPECT_EQ(meter.run(next()), 200);
}

TEST_F(TurnMeterTest, TakesWhatComesOverPipes) {
  auto pipe = io.provider->newTwoWayPipe();
  char byte = 0;
  auto read = pipe.ends[0]->read(&byte, 1).then([&]() { return int{byte}; });
  auto written = timer.afterDelay(1 * kj::MILLISECONDS)
                     .then([&]() { return pipe.ends[1]->write("x", 1); })
                     .eagerlyEvaluate(nullptr);
  EXPECT_EQ(meter.run(kj::mv(read)), 'x');
}

TEST_F(TurnMeterTest, TellsTheLongestTurnAndItsOwnTime) {
  // Several events of one turn count together.
  auto work = [&]() {
    return kj::evalLater([]() { workFor(10 * kj::MILLISECONDS); }).then([]() {
      workFor(10 * kj::MILLISECONDS);
    });
  };
  meter.run(timer.afterDelay(1 * kj::MILLISECONDS).then(work).then([]() { return 0; }));
  EXPECT_GE(meter.longest().turn, 20 * kj::MILLISECONDS);
  EXPECT_GE(meter.longest().ownTime, 20 * kj::MILLISECONDS);
  EXPECT_LE(meter.longest().ownTime, meter.longest().turn);
}

TEST_F(TurnMeterTest, CountsWhatOthersTookAsNoTimeOfItsOwn) {
  auto idle = timer.afterDelay(1 * kj::MILLISECONDS).then([]() {
    usleep(50'000);
    return 0;
  });
  meter.run(kj::mv(idle));
  EXPECT_GE(meter.longest().turn, 50 * kj::MILLISECONDS);
  EXPECT_LT(meter.longest().ownTime, 25 * kj::MILLISECONDS);
}

TEST_F(TurnMeterTest, TakesWorkInSlicesForSeveralTurns) {
  unsigned slices = 0;
  kj::Function<kj::Promise<int>()> next = [&]() -> kj::Promise<int> {
    workFor(4 * kj::MILLISECONDS);
    if (++slices == 10) return 0;
    return timer.afterDelay(0 * kj::SECONDS).then([&]() { return next(); });
  };
  meter.run(timer.afterDelay(1 * kj::MILLISECONDS).then([&]() { return next(); }));
  EXPECT_LT(meter.longest().ownTime, 12 * kj::MILLISECONDS) << "all are taken for one turn";
}

// Says how long each look finds that work took.
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
