#include "chain/shared-trial.h"

#include <vector>

#include <gtest/gtest.h>
#include <kj/debug.h>

namespace gavel::chain {
namespace {

constexpr auto PAUSE = 200 * kj::MILLISECONDS;

class SharedTrialTest: public ::testing::Test {
protected:
  ~SharedTrialTest() noexcept override = default;

  kj::EventLoop loop;
  kj::WaitScope waitScope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> begun;
  SharedTrial trial{timer, PAUSE, [this]() {
                      auto paf = kj::newPromiseAndFulfiller<void>();
                      begun.push_back(kj::mv(paf.fulfiller));
                      return kj::mv(paf.promise);
                    }};

  void pass(kj::Duration time) {
    loop.run();
    timer.advanceTo(timer.now() + time);
    loop.run();
  }
};

TEST_F(SharedTrialTest, IsSharedByAllWhoAskedBeforeItBegan) {
  auto first = trial.run();
  auto second = trial.run();
  pass(0 * kj::SECONDS);
  ASSERT_EQ(begun.size(), 1u);
  begun[0]->fulfill();
  first.wait(waitScope);
  second.wait(waitScope);
}

TEST_F(SharedTrialTest, WhoAsksDuringOneGetsTheNextAfterAPause) {
  auto first = trial.run();
  pass(0 * kj::SECONDS);
  auto second = trial.run();
  auto third = trial.run();
  begun[0]->fulfill();
  first.wait(waitScope);
  EXPECT_FALSE(second.poll(waitScope));
  pass(PAUSE - 1 * kj::MILLISECONDS);
  EXPECT_EQ(begun.size(), 1u);
  pass(1 * kj::MILLISECONDS);
  ASSERT_EQ(begun.size(), 2u);
  begun[1]->fulfill();
  second.wait(waitScope);
  third.wait(waitScope);
}

TEST_F(SharedTrialTest, AFailureIsOfThoseWhoAskedForIt) {
  auto first = trial.run();
  pass(0 * kj::SECONDS);
  auto second = trial.run();
  begun[0]->reject(KJ_EXCEPTION(OVERLOADED, "a test"));
  EXPECT_ANY_THROW(first.wait(waitScope));
  pass(PAUSE);
  ASSERT_EQ(begun.size(), 2u);
  begun[1]->fulfill();
  second.wait(waitScope);
}

TEST_F(SharedTrialTest, GoesOnWithoutThoseWhoAskedForIt) {
  { auto dropped = trial.run(); }
  pass(0 * kj::SECONDS);
  auto next = trial.run();
  pass(PAUSE);
  EXPECT_EQ(begun.size(), 1u) << "one at a time";
  begun[0]->fulfill();
  pass(0 * kj::SECONDS);
  ASSERT_EQ(begun.size(), 2u);
  begun[1]->fulfill();
  next.wait(waitScope);
}

}  // namespace
}  // namespace gavel::chain
