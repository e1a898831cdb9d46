#include <cstring>

#include <gmock/gmock.h>

#include "log/durable-marker.h"
#include "tests/store/damage-fixture.h"

// The bound that a store keeps, and the log that it keeps aside (R11).
namespace gavel {
namespace {

using ::testing::HasSubstr;

class RocksBoundTest: public DamageFixture {
protected:
  ~RocksBoundTest() noexcept override = default;

  // Waits until what was queued is done.
  void settle(RocksStore& store) { wait(store.load()); }
  Configuration configuration(std::uint64_t epoch, std::uint64_t restartedIn) {
    Configuration configuration;
    configuration.clusterId = 7;
    configuration.epoch = epoch;
    configuration.restartedIn = restartedIn;
    configuration.members.push_back({"n1", "host:1", 11, 12, true});
    return configuration;
  }
};

TEST_F(RocksBoundTest, KeepsTheBound) {
  Auctioneer auctioneer;
  Bound bound;
  {
    auto store = open();
    EXPECT_EQ(store->recovered().bound, Bound());
    append(*store, auctioneer, 5);
    bound = {auctioneer.end, 3};
    append(*store, auctioneer, 5);
    store->saveBound(bound);
    settle(*store);
    // It is on disk already, even if this process is killed now.
    MarkerFile file(path() + "/durable");
    EXPECT_EQ(KJ_ASSERT_NONNULL(file.recovered()).bound, bound);
  }
  EXPECT_EQ(open()->recovered().bound, bound);
  EXPECT_EQ(open()->recovered().damage, "");
}

TEST_F(RocksBoundTest, KeepsNoneWithoutSyncing) {
  Auctioneer auctioneer;
  {
    auto store = open({.sync = SyncMode::never});
    append(*store, auctioneer, 5);
    store->saveBound({auctioneer.end, 3});
    settle(*store);
  }
  EXPECT_EQ(open()->recovered().bound, Bound());
}

TEST_F(RocksBoundTest, AStoreThatFallsShortOfItsBoundIsDamaged) {
  Auctioneer auctioneer;
  Position before;
  {
    auto store = open();
    append(*store, auctioneer, 5);
    before = auctioneer.end;
    append(*store, auctioneer, 5);
    store->saveBound({auctioneer.end, 3});
    wait(store->cut(before));
  }
  EXPECT_THAT(open()->recovered().damage, HasSubstr("which this node knew to be committed"));
  EXPECT_THAT(open()->recovered().damage, HasSubstr("durable up to index 100")) << "and goes on so";
  // The log has grown to its old end again.
  {
    auto store = open();
    for (auto& batch: auctioneer.log) {
      if (batch->firstIndex() > before.index) store->append(batch);
    }
    waitDurable(*store, auctioneer.end.index);
    EXPECT_EQ(store->recovered().damage, "");
  }
  EXPECT_EQ(open()->recovered().damage, "");
}

TEST_F(RocksBoundTest, WhatAnOrderGaveUpCountsNoMore) {
  Auctioneer auctioneer;
  {
    auto store = open();
    append(*store, auctioneer, 5);
    auto before = auctioneer.end;
    append(*store, auctioneer, 5);
    store->saveBound({auctioneer.end, 3});
    wait(store->saveConfiguration(configuration(5, 4)));
    wait(store->cut(before));
  }
  EXPECT_EQ(open()->recovered().damage, "");
  EXPECT_EQ(open()->recovered().configuration.restartedIn, 4u);
}

TEST_F(RocksBoundTest, KeepsAsideWhatIsToBeDroppedOnce) {
  Auctioneer auctioneer;
  auto store = open();
  append(*store, auctioneer, 5);
  auto after = auctioneer.end.index;
  append(*store, auctioneer, 3);
  auto file = wait(store->keepAside(after, 9));
  EXPECT_EQ(file, path() + "/dropped-9");
  auto contents = contentsOf(file);
  ASSERT_EQ(contents.substr(0, 8), "gaveldr1");
  std::size_t at = 8;
  for (auto& batch: auctioneer.log) {
    if (batch->firstIndex() <= after) continue;
    std::uint64_t size = 0;
    std::memcpy(&size, contents.data() + at, sizeof(size));
    at += sizeof(size);
    auto read = Batch::parse(kj::StringPtr(contents.data() + at, size).asBytes());
    EXPECT_EQ(read->end(), batch->end());
    at += size;
  }
  EXPECT_EQ(at, contents.size());

  append(*store, auctioneer, 1);
  wait(store->keepAside(after, 9));
  EXPECT_EQ(contentsOf(file), contents) << "it is never touched again";
  wait(store->keepAside(0, 10));
  EXPECT_GT(contentsOf(path() + "/dropped-10").size(), contents.size());
}

}  // namespace
}  // namespace gavel
