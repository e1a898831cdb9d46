#include <gmock/gmock.h>

#include "auction/records.h"
#include "tests/store/store-fixture.h"

namespace gavel {
namespace {

using ::testing::HasSubstr;

class RocksCheckpointTest: public StoreFixture {
protected:
  ~RocksCheckpointTest() noexcept override = default;

  gavel::testing::TemporaryDirectory elsewhere;
  kj::Own<RocksStore> openOther() {
    return kj::heap<RocksStore>(elsewhere.path().c_str(), RocksStoreOptions(), random);
  }
  static RocksStoreOptions retaining(std::uint64_t bytes, std::uint64_t entries) {
    RocksStoreOptions options;
    options.retainBytes = bytes;
    options.retainEntries = entries;
    return options;
  }
};

TEST_F(RocksCheckpointTest, ChangesAddUpToTheState) {
  Auctioneer auctioneer;
  auto store = open();
  for (int round = 0; round < 5; ++round) {
    append(*store, auctioneer, 4, 11);
    checkpoint(*store, auctioneer);
    expectCheckpoint(*store, auctioneer.reference);
    append(*store, auctioneer, 1, 7);
    expectAll(*store, auctioneer);
  }
  EXPECT_GT(auctioneer.auctionsMade(), 20u);
}

TEST_F(RocksCheckpointTest, RestartGoesOnFromTheCheckpoint) {
  Auctioneer auctioneer;
  {
    auto store = open();
    append(*store, auctioneer, 50, 20);
    checkpoint(*store, auctioneer);
    append(*store, auctioneer, 5, 20);
  }
  auto store = open();
  auto image = wait(store->load());
  EXPECT_EQ(image.checkpoint, auctioneer.log[49]->end());
  EXPECT_EQ(image.log.size(), 5u);
  expectAll(*store, auctioneer);
  append(*store, auctioneer, 5, 20);
  checkpoint(*store, auctioneer);
  expectCheckpoint(*store, auctioneer.reference);
}

TEST_F(RocksCheckpointTest, RestartsWithManyRecords) {
  Auctioneer auctioneer;
  {
    auto store = open(retaining(1 << 20, 5000));
    for (int round = 0; round < 10; ++round) {
      append(*store, auctioneer, 20, 200);
      checkpoint(*store, auctioneer);
    }
  }
  auto store = open(retaining(1 << 20, 5000));
  EXPECT_EQ(store->recovered().damage, "");
  expectAll(*store, auctioneer);
  EXPECT_EQ(wait(store->auctions(0, 1 << 20)).size(), auctioneer.auctionsMade());
  // An excess of log that a restart finds is removed in small steps, too.
  auto before = store->logStart().index;
  EXPECT_GE(before, 35000u - 1500);
  append(*store, auctioneer, 5, 200);
  checkpoint(*store, auctioneer);
  EXPECT_GT(store->logStart().index, before);
  EXPECT_LT(store->logStart().index, before + 2000);
  EXPECT_FALSE(wait(store->readLog(store->logStart().index, 1)).empty());
}

TEST_F(RocksCheckpointTest, KeepsTheLogWithinTheWindow) {
  Auctioneer auctioneer;
  auto store = open(retaining(1 << 30, 100));
  append(*store, auctioneer, 30);
  EXPECT_EQ(store->logStart(), Position()) << "what is not in a checkpoint is needed";
  checkpoint(*store, auctioneer);
  EXPECT_EQ(store->logStart().index, 200u);
  EXPECT_THAT(errorOf([&]() { wait(store->readLog(190, 100)); }), HasSubstr("begins later"));
  EXPECT_EQ(wait(store->readLog(200, 1 << 30)).size(), 10u);
  KJ_IF_MAYBE (found, wait(store->lastWithin({1, 205, 0}))) {
    EXPECT_EQ(*found, store->logStart());
  } else {
    ADD_FAILURE() << "not even the log's start";
  }
  KJ_IF_MAYBE (found, wait(store->lastWithin({1, 195, 0}))) {
    ADD_FAILURE() << "found " << found->index;
  }
  auto start = store->logStart();
  store = nullptr;
  store = open(retaining(1 << 30, 100));
  EXPECT_GE(store->logStart().index, start.index);
  EXPECT_LE(store->logStart().index, 300u);
  expectAll(*store, auctioneer);
}

TEST_F(RocksCheckpointTest, KeepsNoLogBeforeTheCheckpointIfToldSo) {
  Auctioneer auctioneer;
  auto store = open(retaining(0, 0));
  append(*store, auctioneer, 3);
  auto changes = auctioneer.state.capture();
  auto at = auctioneer.end;
  append(*store, auctioneer, 2);
  wait(store->checkpoint(at, std::move(changes)));
  EXPECT_EQ(store->logStart(), at) << "never past the checkpoint";
  expectAll(*store, auctioneer);
  store = nullptr;
  store = open(retaining(0, 0));
  expectAll(*store, auctioneer);
}

TEST_F(RocksCheckpointTest, RefusesACheckpointWhereNoBatchEnds) {
  Auctioneer auctioneer;
  auto store = open();
  append(*store, auctioneer, 2);
  auto changes = auctioneer.state.capture();
  EXPECT_THAT(errorOf([&]() {
                wait(store->checkpoint({1, 20, 5}, std::move(changes)));
              }),
              HasSubstr("where no batch ends"));
}

TEST_F(RocksCheckpointTest, ReadsPagesOfAuctions) {
  Auctioneer auctioneer;
  auto store = open();
  append(*store, auctioneer, 30);
  checkpoint(*store, auctioneer);
  std::vector<std::string> names;
  auction::AuctionId after = 0;
  for (;;) {
    auto page = wait(store->auctions(after, 4));
    if (page.empty()) break;
    EXPECT_LE(page.size(), 4u);
    for (auto& auction: page) names.push_back(auction.name);
    after = page.back().id;
  }
  ASSERT_EQ(names.size(), auctioneer.auctionsMade());
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(names[i], Auctioneer::nameOf(i + 1));
  EXPECT_THAT(errorOf([&]() { wait(store->history(2, 1, 1000)); }),
              HasSubstr("not in the checkpoint"));
  EXPECT_EQ(store->ended().find("no such"), std::nullopt);
}

// -- snapshots

TEST_F(RocksCheckpointTest, SnapshotStaysAsItWas) {
  Auctioneer auctioneer;
  auto store = open(retaining(0, 0));
  append(*store, auctioneer, 20);
  checkpoint(*store, auctioneer);
  auto at = auctioneer.end;
  Auctioneer then;
  for (int i = 0; i < 20; ++i) then.next(10);

  auto reader = store->openSnapshot();
  EXPECT_EQ(reader->position(), at);
  append(*store, auctioneer, 20);
  checkpoint(*store, auctioneer);
  EXPECT_EQ(store->logStart(), at) << "the reader needs the log from there on";

  auto other = openOther();
  install(*other, *reader);
  EXPECT_EQ(other->logStart(), at);
  EXPECT_EQ(wait(other->durableAbove(0)), at.index);
  expectAll(*other, then);
  expectCheckpoint(*other, then.reference);
  for (auto& batch: wait(store->readLog(at.index, 1 << 30))) other->append(batch);
  waitDurable(*other, auctioneer.end.index);
  expectAll(*other, auctioneer);

  reader = nullptr;
  append(*store, auctioneer, 1);
  checkpoint(*store, auctioneer);
  EXPECT_EQ(store->logStart(), auctioneer.end);
}

TEST_F(RocksCheckpointTest, SnapshotComesInPartsOfBoundedSize) {
  Auctioneer auctioneer;
  auto store = open();
  append(*store, auctioneer, 100, 200);
  checkpoint(*store, auctioneer);
  auto reader = store->openSnapshot();
  auto parts = readSnapshot(*reader);
  EXPECT_GT(parts.size(), 3u);
  for (auto& part: parts) EXPECT_LT(part.size(), SNAPSHOT_PART_BYTES * 2);
}

TEST_F(RocksCheckpointTest, ASnapshotReaderMayOutliveTheStore) {
  Auctioneer auctioneer;
  auto store = open();
  append(*store, auctioneer, 3);
  checkpoint(*store, auctioneer);
  auto reader = store->openSnapshot();
  store = nullptr;
  EXPECT_THAT(errorOf([&]() { wait(reader->next()); }), HasSubstr("closed"));
  reader = nullptr;
  expectAll(*open(), auctioneer);
}

TEST_F(RocksCheckpointTest, InstallReplacesWhatWasThere) {
  Auctioneer auctioneer, others;
  auto store = open();
  append(*store, auctioneer, 20);
  checkpoint(*store, auctioneer);
  {
    auto other = openOther();
    others.epoch = 5;
    append(*other, others, 3);
    checkpoint(*other, others);
    append(*other, others, 1);
    install(*other, *store->openSnapshot());
    expectAll(*other, auctioneer);
  }
  auto other = openOther();
  EXPECT_EQ(other->recovered().damage, "");
  expectAll(*other, auctioneer);
  expectCheckpoint(*other, auctioneer.reference);
}

TEST_F(RocksCheckpointTest, AnUnfinishedInstallLeavesAnEmptyDamagedStore) {
  Auctioneer auctioneer;
  auto store = open();
  append(*store, auctioneer, 20);
  checkpoint(*store, auctioneer);
  auto reader = store->openSnapshot();
  auto parts = readSnapshot(*reader);
  std::uint64_t id = 0;
  {
    auto other = openOther();
    id = other->recovered().storeId;
    append(*other, auctioneer = Auctioneer(), 3);
    wait(other->beginInstall());
    wait(other->install(kj::heapArray(parts[0].asPtr())));
    EXPECT_THAT(errorOf([&]() { other->append(auctioneer.next(1)); }),
                HasSubstr("taking in a snapshot"));
    EXPECT_EQ(wait(other->load()).end(), Position()) << "a part of a state is none";
  }
  for (int i = 0; i < 2; ++i) {
    auto other = openOther();
    EXPECT_EQ(other->recovered().storeId, id);
    EXPECT_TRUE(other->recovered().empty);
    EXPECT_THAT(other->recovered().damage, HasSubstr("is incomplete"));
    EXPECT_EQ(wait(other->load()).end(), Position());
    EXPECT_EQ(wait(other->auctions(0, 10)).size(), 0u);
  }
  {
    auto other = openOther();
    install(*other, *store->openSnapshot());
    EXPECT_EQ(other->recovered().damage, "");
  }
  EXPECT_EQ(openOther()->recovered().damage, "");
}

TEST_F(RocksCheckpointTest, AnUnfinishedInstallCanBeGivenUpForTheLog) {
  Auctioneer auctioneer;
  {
    auto store = open();
    wait(store->beginInstall());
  }
  auto store = open();
  wait(store->cut({}));
  EXPECT_EQ(store->recovered().damage, "");
  append(*store, auctioneer, 3);
  store = nullptr;
  store = open();
  EXPECT_EQ(store->recovered().damage, "");
  expectAll(*store, auctioneer);
}

TEST_F(RocksCheckpointTest, FinishRefusesWhatIsNotSound) {
  Auctioneer auctioneer;
  auto store = open();
  append(*store, auctioneer, 20);
  checkpoint(*store, auctioneer);
  std::string all;
  auto reader = store->openSnapshot();
  for (auto& part: readSnapshot(*reader)) all.append(part.asChars().begin(), part.size());

  // Each has one record less, or a changed one.
  auto other = openOther();
  unsigned tried = 0;
  for (char kind: std::string("abehmns")) {
    std::string less;
    auction::RecordWriter writer(less);
    auction::RecordReader records(all);
    bool left = false;
    while (auto record = records.next()) {
      if (!left && record->key[0] == kind) {
        left = true;
        continue;
      }
      writer.put(record->key, *record->value);
    }
    ASSERT_TRUE(left) << kind;
    wait(other->beginInstall());
    wait(other->install(kj::heapArray(kj::StringPtr(less.c_str(), less.size()).asBytes())));
    EXPECT_THAT(errorOf([&]() { wait(other->finishInstall(reader->position())); }),
                HasSubstr("not sound"))
        << kind;
    ++tried;
  }
  EXPECT_EQ(tried, 7u);
  wait(other->beginInstall());
  wait(other->install(kj::heapArray(kj::StringPtr(all.c_str(), all.size()).asBytes())));
  EXPECT_THAT(
      errorOf([&]() {
        wait(other->install(kj::heapArray(kj::StringPtr(all.c_str(), all.size()).asBytes())));
      }),
      HasSubstr("out of order"));
  auto wrong = reader->position();
  ++wrong.index;
  EXPECT_THAT(errorOf([&]() { wait(other->finishInstall(wrong)); }), HasSubstr("as of index"));
  wait(other->finishInstall(reader->position()));
  expectAll(*other, auctioneer);
}

}  // namespace
}  // namespace gavel
