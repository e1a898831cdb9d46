#include "chain/rocks-store.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <rocksdb/db.h>

#include "tests/chain/entries.h"
#include "tests/support/fakes.h"

namespace gavel::chain {
namespace {

using ::testing::HasSubstr;

class RocksStoreTest: public ::testing::Test {
protected:
  ~RocksStoreTest() noexcept override = default;

  kj::Own<RocksStore> open() {
    return kj::heap<RocksStore>(directory.path().c_str(), SyncMode::always, random);
  }
  std::string openError() {
    auto exception = kj::runCatchingExceptions([&]() { open(); });
    KJ_IF_MAYBE (e, exception) {
      return e->getDescription().cStr();
    }
    return "";
  }
  // Changes a value behind the store's back.
  void damage(const std::string& key) {
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, directory.path(), &opened).ok());
    std::unique_ptr<rocksdb::DB> db(opened);
    std::string value;
    ASSERT_TRUE(db->Get({}, key, &value).ok());
    value[value.size() / 2] = static_cast<char>(value[value.size() / 2] ^ 4);
    ASSERT_TRUE(db->Put({}, key, value).ok());
  }

  kj::AsyncIoContext io = kj::setupAsyncIo();
  gavel::testing::TemporaryDirectory directory;
  gavel::testing::SeededRandom random{1};
};

Configuration someConfiguration() {
  Configuration configuration;
  configuration.clusterId = 5;
  configuration.epoch = 9;
  configuration.members.push_back({"n1", "localhost:1", 3, 4, true});
  return configuration;
}

TEST_F(RocksStoreTest, FormatsAFreshDirectoryOnce) {
  auto id = open()->recovered().storeId;
  EXPECT_NE(id, 0u);
  auto again = open();
  EXPECT_EQ(again->recovered().storeId, id);
  EXPECT_TRUE(again->recovered().fresh());
}

TEST_F(RocksStoreTest, RecoversTheLogsEndAndTheConfiguration) {
  Position end;
  {
    auto store = open();
    for (int i = 0; i < 300; ++i) {
      auto batch = batchAfter(end, 2, 9);
      end = batch->end();
      store->append(batch);
    }
    store->saveConfiguration(someConfiguration()).wait(io.waitScope);
    std::uint64_t durable = 0;
    while (durable < end.index) durable = store->durableAbove(durable).wait(io.waitScope);
    EXPECT_EQ(durable, end.index);
  }
  auto store = open();
  EXPECT_EQ(store->recovered().logEnd, end);
  EXPECT_EQ(store->recovered().configuration, someConfiguration());
  EXPECT_FALSE(store->recovered().fresh());
}

TEST_F(RocksStoreTest, DurableIndexWaitsUntilItIsAboveWhatIsKnown) {
  auto store = open();
  auto batch = batchAfter({}, 3);
  store->append(batch);
  EXPECT_EQ(store->durableAbove(0).wait(io.waitScope), 3u);
  auto next = store->durableAbove(3);
  EXPECT_FALSE(next.poll(io.waitScope));
  store->append(batchAfter(batch->end(), 1));
  EXPECT_EQ(next.wait(io.waitScope), 4u);
}

TEST_F(RocksStoreTest, RefusesADirectoryThatIsInUse) {
  auto store = open();
  EXPECT_THAT(openError(), HasSubstr("in use by another process"));
  EXPECT_THAT(openError(), HasSubstr(directory.path()));
}

TEST_F(RocksStoreTest, RefusesAFileInPlaceOfADirectory) {
  auto path = directory.path() + "/file";
  std::ofstream(path) << "x";
  auto exception =
      kj::runCatchingExceptions([&]() { RocksStore(path.c_str(), SyncMode::always, random); });
  KJ_IF_MAYBE (e, exception) {
    EXPECT_THAT(e->getDescription().cStr(), HasSubstr("cannot be opened"));
    EXPECT_THAT(e->getDescription().cStr(), HasSubstr(path));
  } else {
    ADD_FAILURE() << "opened a file";
  }
}

TEST_F(RocksStoreTest, NamesADamagedConfiguration) {
  open()->saveConfiguration(someConfiguration()).wait(io.waitScope);
  damage("configuration");
  EXPECT_THAT(openError(), HasSubstr("its configuration has a wrong checksum"));
}

TEST_F(RocksStoreTest, NamesADamagedLogEnd) {
  {
    auto store = open();
    store->append(batchAfter({}, 3));
    store->durableAbove(0).wait(io.waitScope);
  }
  damage(std::string("log/\0\0\0\0\0\0\0\1", 12));
  EXPECT_THAT(openError(), HasSubstr("is damaged at its log's end"));
}

TEST_F(RocksStoreTest, RefusesAnUnknownFormat) {
  open();
  damage("format");
  EXPECT_THAT(openError(), HasSubstr("a format that this version of gavel-node does not know"));
}

}  // namespace
}  // namespace gavel::chain
