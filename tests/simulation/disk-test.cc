#include "tests/simulation/disk.h"

#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gavel::simulation {
namespace {

// A disk, and a process that writes batches of one entry each.
class DiskTest: public ::testing::Test {
protected:
  ~DiskTest() noexcept override { engine.shutDown(); }

  Trace trace{Trace::Detail::none};
  Engine engine{trace};
  std::int64_t wallOffset = 0;
  Disk disk{engine, Dice(5), Disk::Settings{}};
  Process* process = nullptr;
  Store* store = nullptr;
  Position end;
  std::uint64_t loaded = 0;   // The index of the log's end that load() has returned.
  std::uint64_t durable = 0;  // The index that was reported.
  std::vector<std::string> struck;

  DiskTest() {
    disk.onStruck = [this](const char* what) { struck.push_back(what); };
    start();
  }
  void start() {
    process = &engine.newProcess("p", Dice(6), wallOffset);
    engine.deliver(*process, [this]() {
      auto opened = disk.open(*process);
      store = opened.get();
      auto loading = store->load().then([this](Image image) {
        end = image.end();
        loaded = end.index;
        return follow(0);
      });
      process->program =
          kj::heap<kj::Promise<void>>(loading.attach(kj::mv(opened)).eagerlyEvaluate(nullptr));
    });
    go(1 * kj::SECONDS);
  }
  kj::Promise<void> follow(std::uint64_t above) {
    return store->durableAbove(above).then([this](std::uint64_t index) {
      durable = index;
      return follow(index);
    });
  }
  void append() {
    engine.deliver(*process, [this]() {
      std::vector<auction::Entry> entries{
          {end.index + 1, static_cast<auction::Stamp>(end.index + 1), {}, auction::CloseExpired{}}};
      auto batch = Batch::make(1, end, entries);
      end = batch->end();
      store->append(batch);
    });
  }
  void kill(bool power) {
    process->onDeath = [this, power]() { power ? disk.powerLost() : disk.processEnded(); };
    engine.kill(*process, "test");
  }
  void go(Time time) {
    engine.run(engine.now() + time, []() { return false; });
  }
};

TEST_F(DiskTest, MakesDurableWhatWasWrittenAndTellsLater) {
  append();
  EXPECT_EQ(durable, 0u);
  EXPECT_EQ(disk.store().durableEnd().index, 0u);
  go(1 * kj::SECONDS);
  EXPECT_EQ(durable, 1u);
  EXPECT_EQ(disk.store().durableEnd().index, 1u);
}

TEST_F(DiskTest, KeepsWhatAKilledProcessHasWrittenButItIsNotDurableYet) {
  append();
  kill(false);
  EXPECT_EQ(disk.store().durableEnd().index, 0u);
  start();
  EXPECT_EQ(loaded, 1u);  // load() has waited for a sync.
  EXPECT_EQ(disk.store().durableEnd().index, 1u);
}

TEST_F(DiskTest, LosesWithThePowerWhatWasNotSynced) {
  std::set<std::uint64_t> kept;
  for (int round = 0; round < 60; ++round) {
    auto before = disk.store().durableEnd().index;
    append();
    append();
    kill(true);
    start();
    EXPECT_GE(loaded, before);
    EXPECT_LE(loaded, before + 2);
    kept.insert(loaded - before);
  }
  EXPECT_THAT(kept, ::testing::ElementsAre(0u, 1u, 2u));  // Some of it is lost, from the end.
}

TEST_F(DiskTest, KnowsWhatAProcessHasLeftThatAnOlderCopyReplaces) {
  auto copy = disk.copy();
  append();
  go(1 * kj::SECONDS);
  kill(true);
  auto first = engine.now();
  disk.putBack(kj::mv(copy));
  EXPECT_EQ(disk.leftAt(first).durableEnd().index, 1u);
  start();
  EXPECT_EQ(loaded, 0u);
  append();
  append();
  go(1 * kj::SECONDS);
  kill(true);
  EXPECT_EQ(disk.leftAt(first).durableEnd().index, 1u);
  EXPECT_EQ(disk.leftAt(engine.now()).durableEnd().index, 2u);
}

TEST_F(DiskTest, EndsAProcessThatWritesWhenItIsFull) {
  disk.setFull(true);
  process->onDeath = [this]() { disk.processEnded(); };
  append();
  EXPECT_FALSE(process->alive());
  EXPECT_TRUE(disk.explains(process->lastWords()));
  EXPECT_THAT(struck, ::testing::ElementsAre("disk full"));
  disk.setFull(false);
  start();
  EXPECT_FALSE(disk.explains("the disk is full"));  // This process has met none.
  EXPECT_EQ(loaded, 0u);
}

TEST_F(DiskTest, EndsAProcessWhoseSyncFails) {
  disk.failNextSync();
  process->onDeath = [this]() { disk.processEnded(); };
  append();
  EXPECT_TRUE(process->alive());
  go(1 * kj::SECONDS);
  EXPECT_FALSE(process->alive());
  EXPECT_EQ(durable, 0u);
  EXPECT_TRUE(disk.explains(process->lastWords()));
}

TEST_F(DiskTest, SyncsNothingWhileItHangs) {
  disk.hang(engine.now() + 5 * kj::SECONDS);
  append();
  go(4 * kj::SECONDS);
  EXPECT_EQ(durable, 0u);
  EXPECT_TRUE(disk.explains("the disk does not answer: leaving the chain"));
  EXPECT_FALSE(disk.explains("something else"));
  go(2 * kj::SECONDS);
  EXPECT_EQ(durable, 1u);
}

}  // namespace
}  // namespace gavel::simulation
