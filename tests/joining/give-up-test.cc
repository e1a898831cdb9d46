#include <gtest/gtest.h>

#include "tests/joining/world.h"

// Operators' orders that give up what was committed, and nodes that still hold it (R11).
namespace gavel::joining {
namespace {

constexpr std::size_t NODES = 3;

// In two ways: the log is kept; or it is truncated soon, so that the checkpoints of joiners hold what
// was given up.
class GivingUp: public ::testing::TestWithParam<bool> {
protected:
  ~GivingUp() noexcept override = default;

  std::string recover(World& world, const std::string& name) {
    auto epoch = world.master().current().epoch;
    auto answer = world.within(world.master().order([name, epoch](const master::View& view) {
      return master::ruleRecover(view, name, epoch);
    }),
                               "the order");
    return answer.words;
  }
  std::uint64_t commitOf(World& world, std::size_t i) {
    return world.runs(i) ? world.replica(i).commit() : 0;
  }
  void awaitEqual(World& world) {
    auto last = world.replica(world.find(Role::head)).logEnd().index;
    world.until("all to be applied", [&]() {
      for (std::size_t i = 0; i < NODES; ++i) {
        if (world.replica(i).state().lastIndex() != last || commitOf(world, i) != last) {
          return false;
        }
      }
      return true;
    });
    auto hash = world.replica(0).state().hash();
    for (std::size_t i = 1; i < NODES; ++i) {
      EXPECT_EQ(world.replica(i).state().hash(), hash) << world.describe();
    }
  }

  kj::AsyncIoContext io = kj::setupAsyncIo();
};

TEST_P(GivingUp, LetsThoseThatHoldMoreJoinAndKeepWhatTheyDrop) {
  World world(io, NODES, GetParam());
  {
    gavel::testing::Workload load(io, world, 6, 3);
    load.runUntilSteady(100 * kj::MILLISECONDS);
    auto copy = world.store(0).restart(MemoryStore::Crash::process);
    copy->syncNow();
    auto before = copy->durableEnd();
    world.until("more to be committed, and that to be noted on disks", [&]() {
      auto& known = world.store(1).bound();
      return known.at.index > before.index + 100 && world.store(2).bound().at.index > before.index;
    });
    load.runFor(1500 * kj::MILLISECONDS);  // The master records once a second what it hears.
    world.killMaster();
    for (std::size_t i = 0; i < NODES; ++i) world.kill(i, World::Crash::process);
    world.putBack(0, kj::mv(copy));
    world.startMaster();
    world.start(0);
    world.until("the copy to be refused as a source", [&]() {
      return world.master().notice().find("is known to be committed") != std::string::npos;
    });
    EXPECT_NE(recover(world, "n1").find("is given up"), std::string::npos);
    auto& current = world.master().current();
    EXPECT_EQ(current.restartedIn, current.epoch);
    EXPECT_EQ(current.restartedFrom.index, before.index);
    load.stop();
  }
  world.start(1);
  world.start(2);
  world.until("the others to have joined", [&]() { return world.whole(); });
  for (std::size_t i = 1; i < NODES; ++i) {
    auto& aside = world.store(i).aside();
    ASSERT_FALSE(aside.empty()) << "what it dropped was not kept";
    // If the log begins later, everything was dropped.
    if (!GetParam()) {
      EXPECT_LE(aside.front()->firstIndex(), world.master().current().restartedFrom.index + 1);
    }
    EXPECT_GT(aside.back()->lastIndex(), world.master().current().restartedFrom.index + 100);
  }
  gavel::testing::Workload load(io, world, {.bidders = 6, .auctions = 3, .prefix = "later-"});
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  awaitEqual(world);

  // What was committed since counts as committed.
  for (std::size_t i = 0; i < NODES; ++i) {
    world.until("the new bound", [&]() {
      return world.store(i).bound().madeIn >= world.master().current().restartedIn;
    });
    EXPECT_LE(world.store(i).bound().at.index, commitOf(world, i));
  }
}

INSTANTIATE_TEST_SUITE_P(WithItsLog, GivingUp, ::testing::Bool(),
                         [](auto& info) { return info.param ? "truncated" : "kept"; });

}  // namespace
}  // namespace gavel::joining
