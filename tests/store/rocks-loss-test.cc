#include <gmock/gmock.h>

#include "tests/store/damage-fixture.h"

// What a store that has lost something durable reports, and for how long.
namespace gavel {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class RocksLossTest: public DamageFixture {
protected:
  ~RocksLossTest() noexcept override = default;
};

TEST_F(RocksLossTest, OfTheLogsEndIsToldUntilItHasGrownAgain) {
  Auctioneer auctioneer;
  std::string before;
  {
    auto store = open();
    appendEach(*store, auctioneer, 50);
    before = contentsOf(logFile());
  }
  setContents(logFile(), before.substr(0, halfOf(before)));
  Position end;
  for (int i = 0; i < 2; ++i) {
    auto store = open();
    EXPECT_EQ(store->recovered().generation, 2u + i) << "it is known in spite of the damage";
    end = wait(store->load()).end();
    EXPECT_LT(end.index, 500u);
    EXPECT_THAT(store->recovered().damage,
                AllOf(HasSubstr("its log ends at index " + std::to_string(end.index)),
                      HasSubstr("durable up to index 500"),
                      HasSubstr(std::to_string(500 - end.index) + " entries are lost")));
  }
  {
    auto store = open();
    for (auto& batch: auctioneer.log) {
      if (batch->firstIndex() <= end.index || batch->lastIndex() >= 500) continue;
      store->append(batch);
      waitDurable(*store, batch->lastIndex());
      EXPECT_NE(store->recovered().damage, "");
    }
  }
  {
    auto store = open();
    EXPECT_NE(store->recovered().damage, "") << "one batch is missing";
    store->append(auctioneer.log.back());
    waitDurable(*store, 500);
    EXPECT_EQ(store->recovered().damage, "");
    append(*store, auctioneer, 1);
  }
  auto store = open();
  EXPECT_EQ(store->recovered().damage, "");
  expectAll(*store, auctioneer);
}

TEST_F(RocksLossTest, OfTheLogsEndIsMadeUpForByALaterEpochOrACut) {
  for (bool cutting: {false, true}) {
    gavel::testing::TemporaryDirectory data;
    auto open = [&]() {
      return kj::heap<RocksStore>(data.path().c_str(), RocksStoreOptions(), random);
    };
    Auctioneer auctioneer, later;
    {
      auto store = open();
      appendEach(*store, auctioneer, 50);
    }
    auto file = data.path() + "/log/segment-1";
    auto contents = contentsOf(file);
    setContents(file, contents.substr(0, halfOf(contents)));
    {
      auto store = open();
      EXPECT_NE(store->recovered().damage, "");
      auto end = wait(store->load()).end();
      while (later.end.index < end.index) later.next(10);
      ASSERT_EQ(later.end, end);
      if (cutting) {
        wait(store->cut(later.log[3]->end()));
        EXPECT_EQ(store->recovered().damage, "");
        continue;
      }
      later.epoch = 2;
      while (later.end.index < 480) append(*store, later, 1);
      EXPECT_NE(store->recovered().damage, "");
      append(*store, later, 3);
      EXPECT_EQ(store->recovered().damage, "");
    }
    auto store = open();
    EXPECT_EQ(store->recovered().damage, "");
    expectAll(*store, later);
  }
}

// Once with a marker that says what was durable, and once with that lost as well.
TEST_F(RocksLossTest, OfTheWholeLogLeavesTheCheckpoint) {
  for (bool marked: {true, false}) {
    gavel::testing::TemporaryDirectory data;
    auto open = [&]() {
      return kj::heap<RocksStore>(data.path().c_str(), RocksStoreOptions(), random);
    };
    Auctioneer auctioneer;
    {
      auto store = open();
      append(*store, auctioneer, 5);
      checkpoint(*store, auctioneer);
      append(*store, auctioneer, 2);
    }
    fs::remove_all(data.path() + "/log");
    if (!marked) fs::remove(data.path() + "/durable");
    {
      auto store = open();
      EXPECT_NE(store->recovered().damage, "");
      EXPECT_FALSE(store->recovered().empty);
      EXPECT_EQ(wait(store->load()).end(), auctioneer.log[4]->end());
      EXPECT_EQ(store->logStart(), auctioneer.log[4]->end());
      for (std::size_t i: {5, 6}) {
        store->append(auctioneer.log[i]);
        waitDurable(*store, auctioneer.log[i]->lastIndex());
      }
      EXPECT_EQ(store->recovered().damage, "");
    }
    auto store = open();
    EXPECT_EQ(store->recovered().damage, "");
    expectAll(*store, auctioneer);
  }
}

TEST_F(RocksLossTest, IsToldWithoutTheMarker) {
  Auctioneer auctioneer;
  {
    auto store = open();
    append(*store, auctioneer, 5);
  }
  fs::remove(path() + "/durable");
  for (int i = 0; i < 2; ++i) {
    auto store = open();
    EXPECT_THAT(store->recovered().damage,
                i == 0 ? HasSubstr("durable is missing") : HasSubstr("an earlier start"));
    expectAll(*store, auctioneer);
  }
  {
    auto store = open();
    append(*store, auctioneer, 1);
    EXPECT_EQ(store->recovered().damage, "");
  }
  EXPECT_EQ(open()->recovered().damage, "");
}

TEST_F(RocksLossTest, OlderFilesBesideNewerOnesAreFound) {
  Auctioneer auctioneer;
  {
    auto store = open();
    append(*store, auctioneer, 5);
  }
  gavel::testing::TemporaryDirectory old;
  fs::copy(path() + "/db", old.path() + "/db", fs::copy_options::recursive);
  fs::copy(path() + "/log", old.path() + "/log", fs::copy_options::recursive);
  fs::copy(path() + "/durable", old.path() + "/durable");
  gavel::testing::TemporaryDirectory other;
  {
    auto store = open();
    append(*store, auctioneer, 5);
    fs::copy(path() + "/durable", other.path() + "/durable");
    wait(store->cut(auctioneer.log[7]->end()));
  }
  // The marker is from before a cut, as a crash right after the cut leaves it.
  fs::copy(path() + "/db", other.path() + "/db", fs::copy_options::recursive);
  fs::copy(path() + "/log", other.path() + "/log", fs::copy_options::recursive);
  {
    RocksStore store(other.path().c_str(), RocksStoreOptions(), random);
    EXPECT_EQ(store.recovered().damage, "");
  }
  // The log is older than the marker says.
  fs::remove_all(path() + "/log");
  fs::copy(old.path() + "/log", path() + "/log", fs::copy_options::recursive);
  auto store = open();
  EXPECT_THAT(store->recovered().damage, HasSubstr("though the cut number 2 was durable"));
}

// The lost write may be none of the log, which was in tables by then.
TEST_F(RocksLossTest, OfOtherWritesIsTold) {
  Auctioneer auctioneer;
  {
    auto store = open();
    append(*store, auctioneer, 5);
    wait(store->saveConfiguration(configurationOf(1)));
  }
  {
    auto store = open();
    EXPECT_EQ(store->recovered().generation, 2u);
    wait(store->saveConfiguration(configurationOf(2)));
  }
  setContents(walFile(), "");
  {
    auto store = open();
    EXPECT_EQ(store->recovered().generation, 3u) << "a generation is never told twice";
    EXPECT_EQ(store->recovered().configuration.epoch, 1u);
    EXPECT_THAT(store->recovered().damage, HasSubstr("the last 2 writes are lost"));
    expectAll(*store, auctioneer);
  }
  auto store = open();
  EXPECT_EQ(store->recovered().generation, 4u);
  EXPECT_NE(store->recovered().damage, "");
  append(*store, auctioneer, 1);
  EXPECT_EQ(store->recovered().damage, "");
}

}  // namespace
}  // namespace gavel
