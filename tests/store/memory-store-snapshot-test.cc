#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/store/memory-store-fixture.h"
#include "tests/support/entries.h"
#include "tests/support/memory-store.h"

// Snapshots of state that is not in memory any more.
namespace gavel {
namespace {

using ::testing::HasSubstr;
using Crash = MemoryStore::Crash;

TEST_F(MemoryStoreTest, HandsASnapshotOnInParts) {
  auto w = filled();
  auto snapshot = w.store->openSnapshot();
  auto at = snapshot->position();
  EXPECT_EQ(at.index, 25u);
  w.bid("lamp", 100'000);
  w.checkpoint(waitScope);  // The snapshot does not have it.

  auto joiner = writer(MemoryStore::Sync::manual);
  joiner.open();
  joiner.checkpoint(waitScope);
  joiner.store->syncNow();
  auto begun = joiner.store->beginInstall();
  EXPECT_FALSE(begun.poll(waitScope));
  joiner.store->syncNow();
  begun.wait(waitScope);
  int parts = 0;
  for (;; ++parts) {
    auto part = snapshot->next().wait(waitScope);
    if (part.size() == 0) break;
    EXPECT_LT(part.size(), 2000u);
    joiner.store->install(kj::mv(part)).wait(waitScope);
  }
  EXPECT_GT(parts, 1);
  auto installed = joiner.store->finishInstall(at);
  EXPECT_FALSE(installed.poll(waitScope));
  joiner.store->syncNow();
  installed.wait(waitScope);

  EXPECT_EQ(joiner.store->logStart(), at);
  EXPECT_EQ(joiner.store->durableAbove(0).wait(waitScope), 25u);
  auto again = joiner.store->restart(Crash::power);
  EXPECT_EQ(again->recovered().damage, "");
  EXPECT_FALSE(again->recovered().empty);
  for (auto& batch: w.store->readLog(25, 1'000'000).wait(waitScope)) again->append(batch);
  again->syncNow();
  EXPECT_EQ(hashOf(again->load().wait(waitScope)), w.state.hash());
  EXPECT_EQ(again->history(2, 1, 20).wait(waitScope).size(), 20u) << "history came along";
  EXPECT_TRUE(again->ended().find("vase").has_value());
}

TEST_F(MemoryStoreTest, HandsOnTheSnapshotOfNothing) {
  auto w = writer();
  auto snapshot = w.store->openSnapshot();
  EXPECT_EQ(snapshot->position(), Position());
  EXPECT_EQ(snapshot->next().wait(waitScope).size(), 0u);
  auto joiner = writer();
  joiner.store->beginInstall().wait(waitScope);
  joiner.store->finishInstall(snapshot->position()).wait(waitScope);
  EXPECT_EQ(joiner.store->restart(Crash::power)->recovered().damage, "");
}

TEST_F(MemoryStoreTest, IsDamagedAndEmptyIfAnInstallIsInterrupted) {
  auto w = filled();
  auto snapshot = w.store->openSnapshot();
  auto joiner = filled();
  joiner.store->saveConfiguration(configurationOf(3)).wait(waitScope);
  joiner.store->beginInstall().wait(waitScope);
  joiner.store->install(snapshot->next().wait(waitScope)).wait(waitScope);

  auto again = joiner.store->restart(Crash::power);
  EXPECT_THAT(again->recovered().damage, HasSubstr("incomplete"));
  EXPECT_TRUE(again->recovered().empty);
  EXPECT_EQ(again->recovered().configuration, configurationOf(3)) << "that is not part of it";
  auto image = again->load().wait(waitScope);
  EXPECT_EQ(image.end(), Position());
  EXPECT_EQ(image.state.auctionCount(), 0u);
  EXPECT_FALSE(again->ended().find("vase").has_value());
  EXPECT_NE(again->restart(Crash::power)->recovered().damage, "") << "until it has joined anew";

  // Either way of joining heals it.
  auto byLog = again->restart(Crash::power);
  byLog->cut({}).wait(waitScope);
  auction::Entry entry{1, 1, {}, auction::OpenSession{}};
  byLog->append(Batch::make(1, {}, {&entry, 1}));
  EXPECT_EQ(byLog->restart(Crash::power)->recovered().damage, "");
  again->beginInstall().wait(waitScope);
  auto whole = w.store->openSnapshot();
  for (;;) {
    auto part = whole->next().wait(waitScope);
    if (part.size() == 0) break;
    again->install(kj::mv(part)).wait(waitScope);
  }
  again->finishInstall(whole->position()).wait(waitScope);
  EXPECT_EQ(again->restart(Crash::power)->recovered().damage, "");
}

TEST_F(MemoryStoreTest, FailsToFinishASnapshotThatIsUnsound) {
  auto w = filled();
  auto snapshot = w.store->openSnapshot();
  auto joiner = writer();
  EXPECT_THAT(errorOf(joiner.store->install(nullptr)), HasSubstr("before its beginning"));
  EXPECT_THAT(errorOf(joiner.store->finishInstall({})), HasSubstr("before its beginning"));
  joiner.store->beginInstall().wait(waitScope);
  auto garbage = kj::heapArray(kj::StringPtr("garbage").asBytes());
  EXPECT_THAT(errorOf(joiner.store->install(kj::mv(garbage))), HasSubstr("offset"));
  joiner.store->install(snapshot->next().wait(waitScope)).wait(waitScope);
  EXPECT_THAT(errorOf(joiner.store->finishInstall(snapshot->position())), HasSubstr("totals"));
  for (;;) {
    auto part = snapshot->next().wait(waitScope);
    if (part.size() == 0) break;
    joiner.store->install(kj::mv(part)).wait(waitScope);
  }
  auto wrong = snapshot->position();
  wrong.index += 1;
  EXPECT_THAT(errorOf(joiner.store->finishInstall(wrong)), HasSubstr("another index"));
  EXPECT_NE(joiner.store->restart(Crash::power)->recovered().damage, "");
  joiner.store->finishInstall(snapshot->position()).wait(waitScope);
  EXPECT_EQ(joiner.store->restart(Crash::power)->recovered().damage, "");
}

TEST_F(MemoryStoreTest, TellsWhatIsNotInMemoryAnyMore) {
  auto w = filled();
  EXPECT_EQ(w.state.findAuction("vase"), nullptr);
  auto vase = w.store->ended().find("vase");
  ASSERT_TRUE(vase.has_value());
  EXPECT_EQ(vase->phase, auction::Auction::Phase::closed);
  EXPECT_EQ(vase->version(), 2u);
  EXPECT_FALSE(w.store->ended().find("lamp").has_value()) << "it is not over";
  EXPECT_FALSE(w.store->ended().find("nothing").has_value());

  auto versions = w.store->history(2, 3, 4).wait(waitScope);
  ASSERT_EQ(versions.size(), 4u);
  EXPECT_EQ(versions[0].amount, 200);
  EXPECT_EQ(versions[3].amount, 500);
  EXPECT_TRUE(w.store->history(2, 1, 0).wait(waitScope).empty());
  EXPECT_THAT(errorOf(w.store->history(2, 21, 2)), HasSubstr("not in the checkpoint"));
}

TEST_F(MemoryStoreTest, ListsOpenAndEndedAuctionsInOrder) {
  auto w = filled();
  auto names = [&](auction::AuctionId after, std::size_t limit) {
    std::vector<std::string> names;
    for (auto& auction: w.store->auctions(after, limit).wait(waitScope)) {
      names.push_back(auction.name);
    }
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(0, 10), (Names{"lamp", "vase", "chair"}));
  EXPECT_EQ(names(0, 2), (Names{"lamp", "vase"}));
  EXPECT_EQ(names(2, 10), (Names{"vase", "chair"}));
  EXPECT_EQ(names(3, 10), (Names{"chair"}));
  EXPECT_EQ(names(99, 10), Names());
}

}  // namespace
}  // namespace gavel
