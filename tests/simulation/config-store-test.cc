#include "tests/simulation/config-store.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gavel::simulation {
namespace {

using ::testing::ElementsAre;

// A store, and two masters.
class ConfigStoreTest: public ::testing::Test {
protected:
  ~ConfigStoreTest() noexcept override { engine.shutDown(); }

  Trace trace{Trace::Detail::none};
  Engine engine{trace};
  std::int64_t wallOffset = 0;
  SharedConfigStore store{engine, Dice(4), 5 * kj::MILLISECONDS};

  // A master that asks for a first configuration of that cause.
  Process& swap(std::uint64_t expected, std::string cause) {
    auto& process = engine.newProcess("m", Dice(2), wallOffset);
    engine.deliver(process, [&, expected, cause]() {
      auto next = Configuration().next();
      next.clusterId = 7;
      next.members = {{"n1", "n1:1", 1, 1}};
      next.cause = cause;
      auto view = store.open(process);
      auto swapping = view->compareAndSwap(expected, master::Document().with(next).encode());
      process.program = kj::heap<kj::Promise<void>>(
          swapping.ignoreResult().attach(kj::mv(view)).eagerlyEvaluate(nullptr));
    });
    return process;
  }
  std::vector<std::string> upcoming() {
    std::vector<std::string> causes;
    for (auto& each: store.upcoming()) causes.push_back(each.cause);
    return causes;
  }
  void go() {
    engine.run(engine.now() + 1 * kj::SECONDS, []() { return false; });
  }
};

TEST_F(ConfigStoreTest, KnowsWhatIsOnItsWay) {
  swap(0, "first");
  swap(0, "second");
  EXPECT_THAT(upcoming(), ElementsAre("", "first", "second"));
  go();
  EXPECT_EQ(upcoming().size(), 1u);  // One of them has won.
  EXPECT_EQ(upcoming().front(), store.current().cause);
  swap(0, "too late");
  EXPECT_EQ(upcoming().size(), 1u);
}

TEST_F(ConfigStoreTest, TakesWhatAMasterHasSentBeforeItEnded) {
  auto& process = swap(0, "formed");
  engine.kill(process, "test");
  EXPECT_THAT(upcoming(), ElementsAre("", "formed"));
  go();
  EXPECT_THAT(upcoming(), ElementsAre("formed"));
}

}  // namespace
}  // namespace gavel::simulation
