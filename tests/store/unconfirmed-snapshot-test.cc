#include "store/unconfirmed-snapshot.h"

#include <gmock/gmock.h>

#include "tests/store/store-fixture.h"
#include "tests/support/memory-store.h"

namespace gavel {
namespace {

using ::testing::HasSubstr;

// On this clock a millisecond passes from look to look.
class SteppingClock final: public WorkClock {
public:
  std::int64_t now() const override { return time += 1'000'000; }
  mutable std::int64_t time = 0;
};

class UnconfirmedSnapshot: public StoreFixture {
protected:
  ~UnconfirmedSnapshot() noexcept override = default;

  Auctioneer auctioneer;
  gavel::testing::TemporaryDirectory fresh;

  kj::Own<SnapshotReader> openUnconfirmed(Store& store, WorkPace pace = {}) {
    return wait(openUnconfirmedSnapshot(store, io.provider->getTimer(), pace));
  }
  // Expects that a store which installs the snapshot has all that the auctioneer made.
  void expectAllIn(SnapshotReader& reader) {
    EXPECT_EQ(reader.position(), auctioneer.end);
    auto target =
        kj::heap<RocksStore>((fresh.path() + "/data").c_str(), RocksStoreOptions(), random);
    install(*target, reader);  // This reads all of the records as well.
    EXPECT_EQ(wait(target->load()).checkpoint, auctioneer.end);
    expectAll(*target, auctioneer);
    expectCheckpoint(*target, auctioneer.reference);
  }
};

TEST_F(UnconfirmedSnapshot, HasTheCheckpointAndAllOfTheLogAfterIt) {
  auto store = open();
  append(*store, auctioneer, 40, 50);
  checkpoint(*store, auctioneer);
  append(*store, auctioneer, 30, 37);
  auto before = wait(store->load());
  expectAllIn(*openUnconfirmed(*store));
  // Nothing in the store has changed.
  auto after = wait(store->load());
  EXPECT_EQ(after.checkpoint, before.checkpoint);
  EXPECT_EQ(after.log.size(), before.log.size());
  expectAll(*store, auctioneer);
}

TEST_F(UnconfirmedSnapshot, OfAStoreWithoutACheckpoint) {
  auto store = open();
  append(*store, auctioneer, 10, 50);
  expectAllIn(*openUnconfirmed(*store));
}

TEST_F(UnconfirmedSnapshot, OfAStoreWhoseLogEndsWithItsCheckpoint) {
  auto store = open();
  append(*store, auctioneer, 10, 50);
  checkpoint(*store, auctioneer);
  expectAllIn(*openUnconfirmed(*store));
}

TEST_F(UnconfirmedSnapshot, OfAnEmptyStore) {
  auto store = open();
  auto reader = openUnconfirmed(*store);
  EXPECT_EQ(wait(reader->next()).size(), 0u);
  EXPECT_EQ(wait(reader->next()).size(), 0u);
}

TEST_F(UnconfirmedSnapshot, ItsPartsAreBounded) {
  auto store = open();
  append(*store, auctioneer, 5, 50);
  checkpoint(*store, auctioneer);
  append(*store, auctioneer, 200, 100);
  auto parts = readSnapshot(*openUnconfirmed(*store));
  EXPECT_GT(parts.size(), 5u);
  for (auto& part: parts) EXPECT_LT(part.size(), 2 * SNAPSHOT_PART_BYTES);
}

// Takes a step at a time, with turns between them.
TEST_F(UnconfirmedSnapshot, IsMadeInSlices) {
  SteppingClock clock;
  auto store = open();
  append(*store, auctioneer, 20, 50);
  checkpoint(*store, auctioneer);
  append(*store, auctioneer, 20, 50);
  auto reader = openUnconfirmed(*store, WorkPace{&clock, 1});
  EXPECT_GT(clock.time, 100'000'000);
  expectAllIn(*reader);
}

TEST_F(UnconfirmedSnapshot, IsRefusedIfACheckpointIsMadeMeanwhile) {
  auto store = open();
  append(*store, auctioneer, 20, 50);
  // Its next slice waits for this timer.
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  SteppingClock clock;
  auto opening = openUnconfirmedSnapshot(*store, timer, {&clock, 1});
  checkpoint(*store, auctioneer);
  while (!opening.poll(io.waitScope)) timer.advanceTo(timer.now() + 1 * kj::SECONDS);
  EXPECT_THAT(errorOf([&]() { wait(kj::mv(opening)); }),
              HasSubstr("a checkpoint was made meanwhile"));
}

TEST_F(UnconfirmedSnapshot, OfAStoreInMemory) {
  MemoryStore store(7, MemoryStore::Sync::atOnce);
  for (unsigned i = 0; i < 20; ++i) store.append(auctioneer.next(50));
  auto changes = auctioneer.state.capture();
  auto copy = changes;
  wait(store.checkpoint(auctioneer.end, std::move(copy)));
  auctioneer.state.release(changes);
  for (unsigned i = 0; i < 20; ++i) store.append(auctioneer.next(50));
  expectAllIn(*openUnconfirmed(store));
}

}  // namespace
}  // namespace gavel
