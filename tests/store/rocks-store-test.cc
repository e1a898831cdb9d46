#include "store/rocks-store.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <rocksdb/db.h>

#include "store/rocks-database.h"
#include "tests/store/store-fixture.h"

namespace gavel {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class RocksStoreTest: public StoreFixture {
protected:
  ~RocksStoreTest() noexcept override = default;

  // Changes the database without the store.
  void put(const std::string& key, const std::string& value) {
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, path() + "/db", &opened).ok());
    std::unique_ptr<rocksdb::DB> db(opened);
    ASSERT_TRUE(db->Put({}, key, value).ok());
  }
  Position lastWithin(RocksStore& store, Position limit) {
    KJ_IF_MAYBE (found, wait(store.lastWithin(limit))) {
      return *found;
    }
    return {999, 999, 999};
  }
};

Configuration someConfiguration() {
  Configuration configuration;
  configuration.clusterId = 5;
  configuration.epoch = 9;
  configuration.members.push_back({"n1", "localhost:1", 3, 4, true});
  return configuration;
}

TEST_F(RocksStoreTest, FormatsAFreshDirectoryOnce) {
  Recovered first;
  {
    auto store = open();
    first = store->recovered();
    EXPECT_TRUE(wait(store->load()).end() == Position());
  }
  EXPECT_NE(first.storeId, 0u);
  EXPECT_EQ(first.generation, 1u);
  EXPECT_TRUE(first.empty);
  EXPECT_EQ(first.damage, "");
  auto again = open();
  EXPECT_EQ(again->recovered().storeId, first.storeId);
  EXPECT_EQ(again->recovered().generation, 2u);
  EXPECT_TRUE(again->recovered().empty);
  EXPECT_EQ(again->recovered().damage, "");
  EXPECT_EQ(again->recovered().configuration.epoch, 0u);
}

TEST_F(RocksStoreTest, RecoversTheLogAndTheConfiguration) {
  Auctioneer auctioneer;
  {
    auto store = open();
    for (int i = 0; i < 300; ++i) store->append(auctioneer.next(2));
    wait(store->saveConfiguration(someConfiguration()));
    waitDurable(*store, auctioneer.end.index);
    EXPECT_EQ(wait(store->durableAbove(0)), auctioneer.end.index);
  }
  auto store = open();
  EXPECT_EQ(store->recovered().configuration, someConfiguration());
  EXPECT_FALSE(store->recovered().empty);
  EXPECT_EQ(store->recovered().damage, "");
  expectAll(*store, auctioneer);
  append(*store, auctioneer, 3);
  expectAll(*store, auctioneer);
}

TEST_F(RocksStoreTest, DurableIndexWaitsUntilItIsAboveWhatIsKnown) {
  Auctioneer auctioneer;
  auto store = open();
  store->append(auctioneer.next(3));
  EXPECT_EQ(wait(store->durableAbove(0)), 3u);
  auto next = store->durableAbove(3);
  EXPECT_FALSE(next.poll(io.waitScope));
  store->append(auctioneer.next(1));
  EXPECT_EQ(wait(kj::mv(next)), 4u);
}

TEST_F(RocksStoreTest, RefusesABatchThatDoesNotFollow) {
  Auctioneer auctioneer;
  auto store = open();
  auctioneer.next(3);
  EXPECT_THAT(errorOf([&]() { store->append(auctioneer.next(1)); }),
              HasSubstr("does not follow the log's end"));
}

TEST_F(RocksStoreTest, ReadsTheLogInPieces) {
  Auctioneer auctioneer;
  auto store = open();
  append(*store, auctioneer, 20, 5);
  std::uint64_t after = 0;
  unsigned pieces = 0;
  for (;; ++pieces) {
    auto batches = wait(store->readLog(after, 2000));
    if (batches.empty()) break;
    std::size_t bytes = 0;
    for (auto& batch: batches) {
      EXPECT_EQ(batch->previous().index, after);
      after = batch->lastIndex();
      bytes += batch->bytes().size();
    }
    EXPECT_TRUE(bytes <= 2000 || batches.size() == 1);
  }
  EXPECT_EQ(after, auctioneer.end.index);
  EXPECT_GT(pieces, 3u);
  EXPECT_EQ(wait(store->readLog(0, 0)).size(), 1u);
  EXPECT_EQ(wait(store->readLog(0, 1 << 30)).size(), 20u);
  EXPECT_THAT(errorOf([&]() { wait(store->readLog(3, 1000)); }),
              HasSubstr("no batch begins after"));
}

TEST_F(RocksStoreTest, FindsTheLastPositionWithinALimit) {
  Auctioneer auctioneer;
  auto store = open();
  std::vector<Position> ends;
  for (std::uint64_t epoch: {1, 1, 3, 3, 6}) {
    auctioneer.epoch = epoch;
    store->append(auctioneer.next(10));
    ends.push_back(auctioneer.end);
  }
  waitDurable(*store, 50);
  EXPECT_EQ(lastWithin(*store, {9, 1000, 0}), ends[4]);
  EXPECT_EQ(lastWithin(*store, {6, 50, 0}), ends[4]);
  EXPECT_EQ(lastWithin(*store, {6, 49, 0}), ends[3]);
  EXPECT_EQ(lastWithin(*store, {5, 1000, 0}), ends[3]);
  EXPECT_EQ(lastWithin(*store, {2, 1000, 0}), ends[1]);
  EXPECT_EQ(lastWithin(*store, {2, 10, 0}), ends[0]);
  EXPECT_EQ(lastWithin(*store, {2, 9, 0}), Position());
  EXPECT_EQ(lastWithin(*store, {0, 1000, 0}), Position());
}

TEST_F(RocksStoreTest, CutsTheLogForGood) {
  Auctioneer auctioneer, other;
  Position end;
  {
    auto store = open();
    append(*store, auctioneer, 5);
    for (int i = 0; i < 3; ++i) other.next(10);
    end = other.end;
    EXPECT_EQ(end, auctioneer.log[2]->end()) << "equal logs so far";
    auto cut = store->cut(end);
    // Entries that are about to be cut are not reported as durable any more (R9).
    EXPECT_EQ(wait(store->durableAbove(0)), end.index);
    wait(kj::mv(cut));
    EXPECT_EQ(wait(store->load()).end(), end);
    auto waiting = store->durableAbove(end.index);
    EXPECT_FALSE(waiting.poll(io.waitScope));
    other.epoch = 2;
    store->append(other.next(4));
    EXPECT_EQ(wait(kj::mv(waiting)), end.index + 4);
    expectAll(*store, other);
  }
  auto store = open();
  EXPECT_EQ(store->recovered().damage, "") << "a cut loses nothing";
  expectAll(*store, other);
  EXPECT_THAT(errorOf([&]() { wait(store->cut({1, 15, 0})); }), HasSubstr("where no batch ends"));
  wait(store->cut({}));
  EXPECT_EQ(wait(store->load()).end(), Position());
}

TEST_F(RocksStoreTest, CutFollowsWhatIsQueued) {
  Auctioneer auctioneer;
  auto store = open();
  for (int i = 0; i < 50; ++i) store->append(auctioneer.next(2));
  wait(store->cut(auctioneer.log[0]->end()));
  EXPECT_EQ(wait(store->durableAbove(0)), 2u);
  EXPECT_EQ(wait(store->readLog(0, 1 << 20)).size(), 1u);
}

TEST_F(RocksStoreTest, SaysThatNothingIsSynced) {
  Auctioneer auctioneer;
  RocksStoreOptions options;
  options.sync = SyncMode::never;
  {
    auto store = open(options);
    EXPECT_TRUE(store->recovered().unsynced);
    append(*store, auctioneer, 5);
  }
  auto store = open();
  EXPECT_FALSE(store->recovered().unsynced);
  EXPECT_EQ(store->recovered().damage, "");
  expectAll(*store, auctioneer);
}

TEST_F(RocksStoreTest, DoesNotTrustWhatAnUnsyncedProcessLeft) {
  Auctioneer auctioneer;
  RocksStoreOptions never;
  never.sync = SyncMode::never;
  auto copy = path() + "/copy";
  {
    RocksStore store((path() + "/store").c_str(), never, random);
    append(store, auctioneer, 5);
    wait(store.durableAbove(0));
    // Copies it while the process runs, which is how the end of that process would leave it.
    std::filesystem::copy(path() + "/store", copy, std::filesystem::copy_options::recursive);
  }
  {
    RocksStore again(copy.c_str(), never, random);
    EXPECT_EQ(again.recovered().damage, "") << "it says so of itself for as long as it runs";
    EXPECT_TRUE(again.recovered().unsynced);
    std::filesystem::copy(copy, path() + "/second", std::filesystem::copy_options::recursive);
  }
  RocksStore store((path() + "/second").c_str(), SyncMode::always, random);
  EXPECT_THAT(store.recovered().damage, HasSubstr("--sync=never"));
  append(store, auctioneer, 1);
  wait(store.durableAbove(5));
  EXPECT_EQ(store.recovered().damage, "") << "it has taken in something from the chain";
}

// -- refusals

TEST_F(RocksStoreTest, RefusesADirectoryThatIsInUse) {
  auto store = open();
  EXPECT_THAT(openError(), AllOf(HasSubstr("in use by another process"), HasSubstr(path())));
  store = nullptr;
  EXPECT_EQ(openError(), "");
}

TEST_F(RocksStoreTest, RefusesAFileInPlaceOfADirectory) {
  auto file = path() + "/file";
  std::ofstream(file) << "x";
  EXPECT_THAT(errorOf([&]() { RocksStore(file.c_str(), SyncMode::always, random); }),
              AllOf(HasSubstr("cannot be opened"), HasSubstr(file)));
}

TEST_F(RocksStoreTest, RefusesADirectoryOfFormatOne) {
  rocksdb::DB* opened = nullptr;
  rocksdb::Options options;
  options.create_if_missing = true;
  ASSERT_TRUE(rocksdb::DB::Open(options, path(), &opened).ok());
  ASSERT_TRUE(opened->Put({}, "format", "1").ok());
  delete opened;
  EXPECT_THAT(openError(), AllOf(HasSubstr("format 1"), HasSubstr("start with an empty directory"),
                                 HasSubstr(path())));
  EXPECT_FALSE(std::filesystem::exists(path() + "/db")) << "it is left alone";
}

TEST_F(RocksStoreTest, RefusesAnotherFormatNamingBoth) {
  open();
  auto own = "knows only format " + std::to_string(DATA_FORMAT);
  auto newer = std::to_string(DATA_FORMAT + 1);
  put("format", newer);
  EXPECT_THAT(openError(), AllOf(HasSubstr("has format " + newer + ", made by a newer version"),
                                 HasSubstr(own)));
  put("format", "4");
  EXPECT_THAT(openError(), AllOf(HasSubstr("has format 4, made by an older version"),
                                 HasSubstr(own), HasSubstr("empty directory")));
  EXPECT_FALSE(std::filesystem::exists(path() + "/damaged")) << "it is not damaged";
  put("format", "1");
  EXPECT_THAT(openError(), HasSubstr("damaged"));
}

TEST_F(RocksStoreTest, StartsOverWithAnInterruptedFormatting) {
  std::filesystem::create_directories(path() + "/db-new");
  std::ofstream(path() + "/db-new/MANIFEST-000001") << "half";
  std::ofstream(path() + "/durable") << "";
  auto store = open();
  EXPECT_TRUE(store->recovered().empty);
  EXPECT_EQ(store->recovered().damage, "");
}

TEST_F(RocksStoreTest, SetsAsideWhatIsDamaged) {
  Auctioneer auctioneer;
  std::uint64_t id = 0;
  {
    auto store = open();
    id = store->recovered().storeId;
    append(*store, auctioneer, 3);
  }
  std::ofstream(path() + "/damaged") << "a bit has flipped\n";
  EXPECT_THAT(openError(), AllOf(HasSubstr("a bit has flipped"), HasSubstr("--replace-damaged")));
  RocksStoreOptions options;
  options.replaceDamaged = true;
  {
    auto store = open(options);
    EXPECT_TRUE(store->recovered().empty);
    EXPECT_EQ(store->recovered().damage, "");
    EXPECT_NE(store->recovered().storeId, id);
  }
  EXPECT_TRUE(std::filesystem::exists(path() + "/set-aside-1/db/CURRENT"));
  EXPECT_TRUE(std::filesystem::exists(path() + "/set-aside-1/durable"));
  EXPECT_TRUE(std::filesystem::exists(path() + "/set-aside-1/damaged"));
  EXPECT_EQ(openError(options), "");
  EXPECT_FALSE(std::filesystem::exists(path() + "/set-aside-2")) << "only what is damaged";
}

TEST_F(RocksStoreTest, DoesNotTakeTheLossOfTheDatabaseForAFreshDirectory) {
  open();
  std::filesystem::remove_all(path() + "/db");
  EXPECT_THAT(openError(), HasSubstr("db is missing"));
  EXPECT_THAT(openError(), HasSubstr("db is missing")) << "it stays refused";
}

}  // namespace
}  // namespace gavel
