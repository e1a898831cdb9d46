#include "tests/simulation/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gavel::simulation {
namespace {

using ::testing::HasSubstr;

// A chain of three takes bids.  Before the first one, the test has copied all directories.
class ChecksTest: public ::testing::Test {
protected:
  ChecksTest() {
    cluster.engine.onTurn = [this](Process& process) { checks.turned(process); };
    cluster.engine.onEnd = [this](Process& process) { checks.ended(process, false); };
    cluster.configStore.onChange = [this](auto& before, auto& after) {
      checks.changed(before, after);
    };
    cluster.start();
    until([this]() { return cluster.whole(); });
    for (auto& member: cluster.configStore.current().members) {
      chain.push_back(cluster.nodeWithStore(member.storeId));
      copies.push_back(chain.back()->disk().copy());
    }
    until([this]() { return cluster.bidding->counts().successes >= 10; });
  }
  ~ChecksTest() noexcept override = default;

  Trace trace{Trace::Detail::none};
  Dice dice{1};
  Cluster cluster{trace, dice, plan()};
  Checks checks{cluster};
  std::vector<NodeMachine*> chain;  // From head to tail.
  std::vector<kj::Own<MemoryStore>> copies;

  static Plan plan() {
    Plan plan;
    plan.nodes = 3;
    // Long enough for the test to find a decision on its way.
    plan.longestStoreDelay = 50 * kj::MILLISECONDS;
    return plan;
  }
  template <typename Condition>
  void until(Condition condition) {
    bool reached = false;
    auto end = cluster.engine.now() + 20 * kj::SECONDS;
    cluster.engine.run(end, [&]() { return reached = condition(); });
    ASSERT_TRUE(reached) << cluster.describe();
  }
  std::uint64_t storeId(unsigned place) { return chain[place]->disk().store().recovered().storeId; }

  // The head is lost, and the next configuration, without it, is on its way to the store when
  // everything loses power.
  void loseHeadAndThenAll() {
    chain[0]->losePower();
    until([this]() { return cluster.configStore.upcoming().size() == 2; });
    for (auto* node: chain) {
      if (node->runs()) node->losePower();
    }
    cluster.masters[0]->losePower();
  }
  void putBack(unsigned place) { chain[place]->disk().putBack(kj::mv(copies[place])); }
  void untilStored(std::uint64_t epoch) {
    until([this, epoch]() { return cluster.configStore.current().epoch == epoch; });
  }
};

TEST_F(ChecksTest, DecisionOnItsWayNamesAMemberWhoseDirectoryHasBeenReplacedMeanwhile) {
  loseHeadAndThenAll();
  putBack(1);
  untilStored(2);
  EXPECT_EQ(cluster.configStore.current().members.size(), 2u);
  EXPECT_EQ(chain[1]->disk().store().durableEnd().index, 0u);
  EXPECT_EQ(checks.failure(), "");
}

TEST_F(ChecksTest, NobodyServesOnAnOlderCopy) {
  loseHeadAndThenAll();
  putBack(1);
  untilStored(2);
  auto before = cluster.configStore.document();
  // R11 would make this one if it took the copy for a source.
  auto next = before.current().next();
  next.members = before.current().members;
  for (auto& member: next.members) ++member.incarnation;
  next.cause = "total outage";
  checks.changed(before, before.with(next));
  EXPECT_THAT(checks.failure(), HasSubstr("which serves, has 0 on disk"));
}

TEST_F(ChecksTest, NothingIsCommittedWithoutAMemberThatHasEnded) {
  chain[1]->losePower();
  putBack(1);
  untilStored(2);
  EXPECT_EQ(cluster.configStore.current().servingStore(storeId(1)), nullptr);
  auto successes = cluster.bidding->counts().successes;
  until([&]() { return cluster.bidding->counts().successes > successes; });
  EXPECT_EQ(checks.failure(), "");
  // The same documents would come if the others had committed that in the first epoch.
  auto before = cluster.configStore.document();
  before.relinks.resize(1);
  auto next = before.current().next();
  next.members = before.current().members;
  next.members.erase(next.members.begin());
  next.cause = "the head is lost";
  checks.changed(before, before.with(next));
  EXPECT_THAT(checks.failure(), HasSubstr(chain[1]->name() + ", which serves, has"));
}

TEST_F(ChecksTest, SomebodyWhoServesKeepsWhatIsCommitted) {
  loseHeadAndThenAll();
  putBack(1);
  putBack(2);
  untilStored(2);
  EXPECT_THAT(checks.failure(), HasSubstr("nobody who serves has it on disk any more"));
}

TEST_F(ChecksTest, ClusterLooksForOthersInWhatIsOnItsWayAsWell) {
  EXPECT_TRUE(cluster.othersServe({storeId(1), storeId(2)}));  // The head does.
  EXPECT_FALSE(cluster.othersServe({storeId(0), storeId(1), storeId(2)}));
  loseHeadAndThenAll();
  EXPECT_EQ(cluster.configStore.current().members.size(), 3u);
  EXPECT_FALSE(cluster.othersServe({storeId(1), storeId(2)}));
  EXPECT_TRUE(cluster.othersServe({storeId(1)}));
}

}  // namespace
}  // namespace gavel::simulation
