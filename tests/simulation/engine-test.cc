#include "tests/simulation/engine.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

namespace gavel::simulation {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EngineTest: public ::testing::Test {
protected:
  ~EngineTest() noexcept override = default;

  Trace trace{Trace::Detail::events};
  Engine engine{trace};
  std::int64_t wallOffset = 0;
  std::vector<std::string> seen;

  Process& process(std::string name) { return engine.newProcess(name, Dice(1), wallOffset); }
  void see(std::string what) {
    seen.push_back(std::to_string(engine.now() / kj::MILLISECONDS) + " " + what);
  }
  void runUntil(Time end) {
    engine.run(end, []() { return false; });
  }
  // A program that notes when its timer is due.
  void sleep(Process& process, kj::Duration delay, std::string what) {
    process.program = kj::heap<kj::Promise<void>>(process.timer()
                                                      .afterDelay(delay)
                                                      .then([=, this]() { see(what); })
                                                      .eagerlyEvaluate(nullptr));
  }
};

TEST_F(EngineTest, TakesEventsInOrderOfTimeAndThenOfQueueing) {
  engine.at(2 * kj::MILLISECONDS, [&]() { see("c"); });
  engine.at(1 * kj::MILLISECONDS, [&]() { see("a"); });
  engine.at(1 * kj::MILLISECONDS, [&]() { see("b"); });
  runUntil(5 * kj::MILLISECONDS);
  EXPECT_THAT(seen, ElementsAre("1 a", "1 b", "2 c"));
  EXPECT_EQ(engine.now(), 5 * kj::MILLISECONDS);
}

TEST_F(EngineTest, RunsTimersOfEachProcessWhenTheyAreDue) {
  auto& a = process("a");
  auto& b = process("b");
  engine.deliver(a, [&]() { sleep(a, 3 * kj::MILLISECONDS, "a"); });
  engine.at(1 * kj::MILLISECONDS, b, [&]() { sleep(b, 1 * kj::MILLISECONDS, "b"); });
  runUntil(5 * kj::MILLISECONDS);
  EXPECT_THAT(seen, ElementsAre("2 b", "3 a"));
}

TEST_F(EngineTest, HoldsEverythingBackFromAPausedProcess) {
  auto& a = process("a");
  engine.deliver(a, [&]() { sleep(a, 2 * kj::MILLISECONDS, "timer"); });
  engine.at(1 * kj::MILLISECONDS, [&]() { engine.pause(a); });
  engine.at(3 * kj::MILLISECONDS, a, [&]() { see("first"); });
  engine.at(4 * kj::MILLISECONDS, a, [&]() { see("second"); });
  engine.at(9 * kj::MILLISECONDS, [&]() { engine.resume(a); });
  runUntil(20 * kj::MILLISECONDS);
  EXPECT_THAT(seen, ElementsAre("9 first", "9 second", "9 timer"));
  EXPECT_EQ(a.timer().now() - kj::origin<kj::TimePoint>(), 9 * kj::MILLISECONDS);
}

TEST_F(EngineTest, EndsWhatIsKilledAndLosesItsEvents) {
  auto& a = process("a");
  engine.deliver(a, [&]() { sleep(a, 5 * kj::MILLISECONDS, "timer"); });
  engine.at(3 * kj::MILLISECONDS, a, [&]() { see("event"); });
  bool program = false;
  a.onDeath = [&]() { program = a.program.get() != nullptr; };
  engine.onEnd = [&](Process& process) { see("end of " + process.name()); };
  engine.at(2 * kj::MILLISECONDS, [&]() { engine.kill(a, "test"); });
  runUntil(20 * kj::MILLISECONDS);
  EXPECT_THAT(seen, ElementsAre("2 end of a"));
  EXPECT_TRUE(program);
  EXPECT_FALSE(a.alive());
  EXPECT_EQ(a.lastWords(), "");
}

TEST_F(EngineTest, EndsAProcessThatDiesAndNoOther) {
  auto& a = process("a");
  auto& b = process("b");
  std::string after = "not run";
  engine.deliver(b, [&]() { sleep(b, 2 * kj::MILLISECONDS, "b"); });
  engine.at(1 * kj::MILLISECONDS, a, [&]() {
    a.program = kj::heap<kj::Promise<void>>(kj::evalLater([&]() {
                                              die("the disk is gone", {{"which", "sda"}});
                                            }).eagerlyEvaluate([&](kj::Exception&&) {
      // Code goes on until the stack is unwound, but its logs are dropped.
      logInfo("nobody hears this");
      after = "run";
    }));
  });
  runUntil(5 * kj::MILLISECONDS);
  EXPECT_EQ(a.state(), Process::State::ended);
  EXPECT_EQ(a.lastWords(), "the disk is gone which=sda");
  EXPECT_EQ(after, "run");
  EXPECT_THAT(seen, ElementsAre("2 b"));
  EXPECT_THAT(trace.text(), HasSubstr("0.001000 a died: the disk is gone which=sda\n"));
  EXPECT_THAT(trace.text(), ::testing::Not(HasSubstr("nobody")));
}

TEST_F(EngineTest, TakesAnExceptionThatEscapesForADeath) {
  auto& a = process("a");
  engine.deliver(a, [&]() { kj::throwFatalException(KJ_EXCEPTION(FAILED, "unforeseen")); });
  EXPECT_THAT(a.lastWords(), HasSubstr("unhandled exception: unforeseen"));
  EXPECT_FALSE(a.alive());
}

TEST_F(EngineTest, GivesProcessesTheirMachinesClock) {
  auto& a = process("a");
  auto wall = a.clock().wall();
  engine.at(7 * kj::MILLISECONDS, []() {});
  runUntil(7 * kj::MILLISECONDS);
  EXPECT_EQ(a.clock().wall(), wall + 7'000'000);
  EXPECT_EQ(a.clock().sinceBoot(), 7'000'000);
  wallOffset = -5'000'000;
  EXPECT_EQ(a.clock().wall(), wall + 2'000'000);
  EXPECT_EQ(a.clock().sinceBoot(), 7'000'000);
}

}  // namespace
}  // namespace gavel::simulation
