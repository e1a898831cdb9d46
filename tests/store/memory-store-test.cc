#include "tests/support/memory-store.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/store/memory-store-fixture.h"
#include "tests/support/entries.h"

namespace gavel {
namespace {

using ::testing::HasSubstr;
using Sync = MemoryStore::Sync;
using Crash = MemoryStore::Crash;

TEST_F(MemoryStoreTest, IsEmptyAtFirst) {
  MemoryStore store(7, Sync::atOnce);
  EXPECT_EQ(store.recovered().storeId, 7u);
  EXPECT_EQ(store.recovered().generation, 1u);
  EXPECT_TRUE(store.recovered().empty);
  EXPECT_EQ(store.recovered().damage, "");
  auto image = store.load().wait(waitScope);
  EXPECT_EQ(image.end(), Position());
  EXPECT_EQ(image.state.lastIndex(), 0u);
  EXPECT_EQ(store.logStart(), Position());
  EXPECT_TRUE(store.readLog(0, 1000).wait(waitScope).empty());
}

TEST_F(MemoryStoreTest, LoadsTheCheckpointAndTheLogAfterIt) {
  auto w = filled();
  auto image = w.store->load().wait(waitScope);
  EXPECT_EQ(image.checkpoint.index, 25u);
  EXPECT_EQ(image.state.lastIndex(), 25u);
  EXPECT_EQ(image.log.size(), 10u);
  EXPECT_EQ(image.end(), w.end());
  EXPECT_EQ(hashOf(kj::mv(image)), w.state.hash());
}

TEST_F(MemoryStoreTest, TellsWhatIsDurableWhenItIsSynced) {
  auto w = writer(Sync::manual);
  w.open();
  auto first = w.store->durableAbove(0);
  EXPECT_FALSE(first.poll(waitScope));
  w.store->syncNow();
  EXPECT_EQ(first.wait(waitScope), 1u);
  w.create("lamp");
  w.create("vase");
  auto third = w.store->durableAbove(2);
  EXPECT_FALSE(third.poll(waitScope));
  w.store->syncNow();
  EXPECT_EQ(third.wait(waitScope), 3u);
  EXPECT_EQ(w.store->durableAbove(0).wait(waitScope), 3u);
}

TEST_F(MemoryStoreTest, SavesAConfigurationWithWhatIsQueuedBeforeIt) {
  auto w = writer(Sync::manual);
  w.open();
  auto saved = w.store->saveConfiguration(configurationOf(3));
  EXPECT_FALSE(saved.poll(waitScope));
  EXPECT_EQ(w.store->configuration().epoch, 0u);
  EXPECT_EQ(w.store->restart(Crash::power)->recovered().configuration.epoch, 0u);
  EXPECT_EQ(w.store->restart(Crash::process)->recovered().configuration.epoch, 3u);
  w.store->syncNow();
  saved.wait(waitScope);
  EXPECT_EQ(w.store->configuration(), configurationOf(3));
  auto again = w.store->restart(Crash::power);
  EXPECT_EQ(again->recovered().configuration, configurationOf(3));
  EXPECT_EQ(again->durableAbove(0).wait(waitScope), 1u);
}

TEST_F(MemoryStoreTest, LosesWithThePowerWhatWasNotSynced) {
  auto w = writer(Sync::manual);
  w.open();
  w.create("lamp");
  w.store->syncNow();
  auto before = w.state.hash();
  w.bid("lamp", 100);
  w.checkpoint(waitScope);

  auto unplugged = w.store->restart(Crash::power);
  EXPECT_EQ(unplugged->recovered().storeId, 7u);
  EXPECT_EQ(unplugged->recovered().generation, 2u);
  EXPECT_FALSE(unplugged->recovered().empty);
  EXPECT_EQ(unplugged->recovered().damage, "");
  EXPECT_EQ(unplugged->checkpointed(), Position());
  EXPECT_EQ(hashOf(unplugged->load().wait(waitScope)), before);
  EXPECT_EQ(unplugged->durableAbove(0).wait(waitScope), 2u);

  auto killed = w.store->restart(Crash::process);
  EXPECT_EQ(killed->recovered().generation, 2u);
  EXPECT_EQ(killed->checkpointed().index, 3u);
  EXPECT_EQ(hashOf(killed->load().wait(waitScope)), w.state.hash());
  EXPECT_EQ(killed->durableAbove(0).wait(waitScope), 3u);
  EXPECT_EQ(killed->restart(Crash::power)->recovered().generation, 3u);

  EXPECT_TRUE(writer(Sync::manual).store->restart(Crash::process)->recovered().empty);
}

TEST_F(MemoryStoreTest, SyncsTheFirstOfWhatWasWritten) {
  auto w = writer(Sync::manual);
  w.open();
  auto saved = w.store->saveConfiguration(configurationOf(3));
  w.create("lamp");
  auto savedLater = w.store->saveConfiguration(configurationOf(4));
  EXPECT_EQ(w.store->unsyncedWrites(), 4u);
  w.store->sync(2);
  EXPECT_EQ(w.store->unsyncedWrites(), 2u);
  EXPECT_EQ(w.store->durableAbove(0).wait(waitScope), 1u);
  EXPECT_EQ(w.store->durableEnd().index, 1u);
  saved.wait(waitScope);
  EXPECT_FALSE(savedLater.poll(waitScope));
  EXPECT_EQ(w.store->configuration(), configurationOf(3));
  w.store->sync(2);
  savedLater.wait(waitScope);
  EXPECT_EQ(w.store->durableEnd().index, 2u);
}

TEST_F(MemoryStoreTest, HidesACutUntilThatIsSynced) {
  auto w = writer(Sync::manual);
  w.open();
  auto first = w.end();
  w.create("lamp");
  w.store->syncNow();
  w.create("vase");
  auto cut = w.store->cut(first);
  w.store->sync(1);
  EXPECT_EQ(w.store->durableAbove(0).wait(waitScope), 1u) << "not what is about to go";
  EXPECT_FALSE(cut.poll(waitScope));
  w.store->sync(1);
  cut.wait(waitScope);
}

TEST_F(MemoryStoreTest, KeepsTheFirstWritesAfterALossOfPower) {
  auto w = writer(Sync::manual);
  w.open();
  w.store->syncNow();
  w.create("lamp");
  w.create("vase");
  for (std::size_t kept = 0; kept <= 2; ++kept) {
    auto left = w.store->restart(Crash::power, kept);
    EXPECT_EQ(left->load().wait(waitScope).end().index, 1 + kept);
    EXPECT_EQ(left->durableEnd().index, 1 + kept);
  }
}

TEST_F(MemoryStoreTest, MayLeaveToItsOwnerWhatARestartHasToSync) {
  MemoryStore::Options options;
  options.syncAtRestart = false;
  Writer w{kj::heap<MemoryStore>(7, Sync::manual, options)};
  w.open();
  auto killed = w.store->restart(Crash::process);
  auto image = killed->load();
  EXPECT_FALSE(image.poll(waitScope));
  EXPECT_EQ(killed->restart(Crash::power)->batches().size(), 0u);
  killed->syncNow();
  EXPECT_EQ(image.wait(waitScope).end().index, 1u);
  EXPECT_EQ(killed->restart(Crash::power)->batches().size(), 1u);
}

TEST_F(MemoryStoreTest, LoadsOnlyWhatIsDurable) {
  auto w = writer(Sync::manual);
  w.open();
  auto image = w.store->load();
  EXPECT_FALSE(image.poll(waitScope));
  w.store->syncNow();
  EXPECT_EQ(image.wait(waitScope).end().index, 1u);
}

TEST_F(MemoryStoreTest, RefusesABatchThatDoesNotFollow) {
  auto w = writer();
  w.open();
  auto other = Batch::parse(w.store->batches().front()->bytes());
  auto exception = kj::runCatchingExceptions([&]() { w.store->append(other); });
  EXPECT_TRUE(exception != nullptr);
}

TEST_F(MemoryStoreTest, CutsTheLogDurably) {
  auto w = writer(Sync::manual);
  w.open();
  auto first = w.end();
  w.create("lamp");
  w.store->syncNow();
  w.create("vase");
  auto cut = w.store->cut(first);
  EXPECT_FALSE(cut.poll(waitScope));
  EXPECT_EQ(w.store->durableAbove(0).wait(waitScope), 1u) << "not what is about to go";
  EXPECT_EQ(w.store->restart(Crash::power)->durableAbove(0).wait(waitScope), 2u);
  w.store->syncNow();
  cut.wait(waitScope);
  EXPECT_EQ(w.end(), first);
  EXPECT_EQ(w.store->durableAbove(0).wait(waitScope), 1u);
  auto above = w.store->durableAbove(1);
  EXPECT_FALSE(above.poll(waitScope));
  EXPECT_EQ(w.store->restart(Crash::power)->batches().size(), 1u);

  // It goes on from there.
  auction::Entry entry{2, 2, {}, auction::OpenSession{}};
  w.store->append(Batch::make(2, first, {&entry, 1}));
  w.store->syncNow();
  EXPECT_EQ(above.wait(waitScope), 2u);
}

TEST_F(MemoryStoreTest, CutsNeitherInsideOfABatchNorIntoTheCheckpoint) {
  auto w = filled({1'000'000});
  auto inside = w.end();
  inside.checksum ^= 1;
  EXPECT_TRUE(kj::runCatchingExceptions([&]() { (void)w.store->cut(inside); }) != nullptr);
  auto early = w.store->batches()[3]->end();
  EXPECT_TRUE(kj::runCatchingExceptions([&]() { (void)w.store->cut(early); }) != nullptr);
  w.store->cut(w.store->checkpointed()).wait(waitScope);
  EXPECT_EQ(w.end(), w.store->checkpointed());
}

TEST_F(MemoryStoreTest, ReadsTheLogInParts) {
  auto w = filled({1'000'000});
  std::vector<std::uint64_t> indexes;
  for (std::uint64_t after = 0;;) {
    auto part = w.store->readLog(after, 1000).wait(waitScope);
    if (part.empty()) break;
    std::size_t bytes = 0;
    for (auto& batch: part) {
      bytes += batch->bytes().size();
      indexes.push_back(batch->firstIndex());
      after = batch->lastIndex();
    }
    EXPECT_LE(bytes, 1000u);
    EXPECT_GT(part.size(), 1u);
  }
  EXPECT_EQ(indexes.size(), w.store->batches().size());
  EXPECT_EQ(w.store->readLog(0, 1).wait(waitScope).size(), 1u) << "at least one";
}

TEST_F(MemoryStoreTest, RefusesToReadFromInsideOfABatch) {
  auto w = writer();
  std::vector<auction::Entry> entries(2, auction::Entry{1, 1, {}, auction::OpenSession{}});
  entries[1].index = 2;
  w.store->append(Batch::make(1, {}, entries));
  EXPECT_THAT(errorOf(w.store->readLog(1, 1000)), HasSubstr("no batch begins"));
}

TEST_F(MemoryStoreTest, FindsTheLastPositionWithinALimit) {
  auto w = writer();
  w.open();
  w.open();
  auto second = w.end();
  w.append(auction::OpenSession{}, 4);
  auto third = w.end();
  auto within = [&](std::uint64_t epoch, std::uint64_t index) {
    return KJ_ASSERT_NONNULL(w.store->lastWithin({epoch, index, 0}).wait(waitScope));
  };
  EXPECT_EQ(within(9, 9), third);
  EXPECT_EQ(within(4, 3), third);
  EXPECT_EQ(within(3, 3), second);
  EXPECT_EQ(within(1, 2), second);
  EXPECT_EQ(within(9, 1).index, 1u);
  EXPECT_EQ(within(0, 9), Position());

  auto late = filled({0});
  auto start = late.store->logStart();
  EXPECT_EQ(start.index, 25u);
  EXPECT_EQ(KJ_ASSERT_NONNULL(late.store->lastWithin({1, 25, 0}).wait(waitScope)), start);
  EXPECT_TRUE(late.store->lastWithin({1, 24, 0}).wait(waitScope) == nullptr);
  EXPECT_TRUE(late.store->lastWithin({0, 99, 0}).wait(waitScope) == nullptr);
}

TEST_F(MemoryStoreTest, TruncatesBeforeTheRetentionWindow) {
  auto w = filled({2000});
  std::size_t bytes = 0;
  for (auto& batch: w.store->batches()) bytes += batch->bytes().size();
  auto start = w.store->logStart();
  EXPECT_GT(start.index, 10u);
  EXPECT_LT(start.index, 25u) << "not all that it may keep";
  EXPECT_EQ(w.store->batches().front()->previous(), start);
  EXPECT_THAT(errorOf(w.store->readLog(start.index - 1, 1000)), HasSubstr("begins later"));
  EXPECT_FALSE(w.store->readLog(start.index, 1000).wait(waitScope).empty());
  EXPECT_EQ(filled({1'000'000}).store->logStart(), Position());

  auto image = w.store->restart(Crash::power)->load().wait(waitScope);
  EXPECT_EQ(image.checkpoint.index, 25u);
  EXPECT_EQ(image.log.size(), 10u) << "only from the checkpoint on";
}

TEST_F(MemoryStoreTest, KeepsTheLogAfterASnapshotThatIsRead) {
  auto w = writer(Sync::atOnce, {0});
  w.open();
  w.create("lamp");
  w.checkpoint(waitScope);
  EXPECT_EQ(w.store->logStart().index, 2u);
  auto snapshot = w.store->openSnapshot();
  EXPECT_EQ(snapshot->position(), w.end());
  w.bid("lamp", 100);
  w.checkpoint(waitScope);
  w.bid("lamp", 200);
  EXPECT_EQ(w.store->logStart(), snapshot->position());
  EXPECT_EQ(w.store->readLog(2, 10000).wait(waitScope).size(), 2u);
  snapshot = nullptr;
  w.checkpoint(waitScope);
  EXPECT_EQ(w.store->logStart().index, 4u);

  // It may end after the store.
  snapshot = w.store->openSnapshot();
  w.store = nullptr;
  EXPECT_GT(snapshot->next().wait(waitScope).size(), 0u);
  snapshot = nullptr;
}

TEST_F(MemoryStoreTest, RefusesACheckpointAsOfAnotherIndex) {
  auto w = writer();
  w.open();
  auto first = w.end();
  w.open();
  auto changes = w.state.capture();
  EXPECT_TRUE(kj::runCatchingExceptions(
                  [&]() { (void)w.store->checkpoint(first, kj::mv(changes)); }) != nullptr);
}

}  // namespace
}  // namespace gavel
