#include "chain/checkpointer.h"

#include <deque>

#include <gtest/gtest.h>
#include <kj/debug.h>

#include "chain/commit-tracker.h"
#include "tests/store/auctioneer.h"

namespace gavel::chain {
namespace {

// A disk that takes as long for a checkpoint as the test wants.  It does nothing else.
class SlowStore final: public Store {
public:
  std::deque<Position> begun;

  // Stores the oldest checkpoint that is being written.
  void finishOne() {
    begun.pop_front();
    auto fulfiller = kj::mv(writing.front());
    writing.pop_front();
    fulfiller->fulfill();
  }

  kj::Promise<void> checkpoint(Position at, auction::Changes changes) override {
    EXPECT_EQ(changes.lastIndex, at.index);
    begun.push_back(at);
    auto paf = kj::newPromiseAndFulfiller<void>();
    writing.push_back(kj::mv(paf.fulfiller));
    return kj::mv(paf.promise);
  }

  const Recovered& recovered() const override { KJ_UNIMPLEMENTED("not asked for"); }
  kj::Promise<Image> load() override { KJ_UNIMPLEMENTED("not asked for"); }
  void append(BatchPtr) override { KJ_UNIMPLEMENTED("not asked for"); }
  kj::Promise<std::uint64_t> durableAbove(std::uint64_t) override {
    KJ_UNIMPLEMENTED("not asked for");
  }
  kj::Promise<void> cut(Position) override { KJ_UNIMPLEMENTED("not asked for"); }
  Position logStart() const override { KJ_UNIMPLEMENTED("not asked for"); }
  kj::Promise<std::vector<BatchPtr>> readLog(std::uint64_t, std::size_t) override {
    KJ_UNIMPLEMENTED("not asked for");
  }
  kj::Promise<kj::Maybe<Position>> lastWithin(Position) override {
    KJ_UNIMPLEMENTED("not asked for");
  }
  kj::Promise<void> saveConfiguration(const Configuration&) override {
    KJ_UNIMPLEMENTED("not asked for");
  }
  kj::Own<SnapshotReader> openSnapshot() override { KJ_UNIMPLEMENTED("not asked for"); }
  kj::Promise<void> beginInstall() override { KJ_UNIMPLEMENTED("not asked for"); }
  kj::Promise<void> install(kj::Array<kj::byte>) override { KJ_UNIMPLEMENTED("not asked for"); }
  kj::Promise<void> finishInstall(Position) override { KJ_UNIMPLEMENTED("not asked for"); }
  kj::Promise<void> savePromise(const RebuildPromise&) override {
    KJ_UNIMPLEMENTED("not asked for");
  }
  void saveBound(const Bound&) override { KJ_UNIMPLEMENTED("not asked for"); }
  kj::Promise<std::string> keepAside(std::uint64_t, std::uint64_t) override {
    KJ_UNIMPLEMENTED("not asked for");
  }
  DiskActivity activity() const override { KJ_UNIMPLEMENTED("not asked for"); }
  void probe() override { KJ_UNIMPLEMENTED("not asked for"); }
  const auction::EndedAuctions& ended() const override { KJ_UNIMPLEMENTED("not asked for"); }
  kj::Promise<std::vector<auction::Version>> history(auction::AuctionId, std::uint64_t,
                                                     std::uint64_t) override {
    KJ_UNIMPLEMENTED("not asked for");
  }
  kj::Promise<std::vector<auction::Auction>> auctions(auction::AuctionId, std::size_t) override {
    KJ_UNIMPLEMENTED("not asked for");
  }

private:
  std::deque<kj::Own<kj::PromiseFulfiller<void>>> writing;
};

// A node alone: its entries are committed at once.
class CheckpointerTest: public ::testing::Test {
protected:
  ~CheckpointerTest() noexcept override = default;

  void log(std::size_t entries) {
    auto batch = auctioneer.next(entries);
    checkpointer.logged(batch->bytes().size());
    log_.append(batch);
    tracker.persisted(auctioneer.end.index);
    consider();
  }
  void consider() { checkpointer.consider(log_, tracker.commit()); }
  kj::Promise<void> askFor(std::uint64_t index) {
    auto stored = checkpointer.whenStored(index);
    consider();
    return stored;
  }
  // The disk has written one checkpoint, and everything that follows by itself has happened.
  void finishOne() {
    store.finishOne();
    for (unsigned turn = 0; turn < 3; ++turn) {
      waitScope.poll();
      timer.advanceTo(timer.now());
    }
    waitScope.poll();
  }
  bool isReady(kj::Promise<void>& promise) { return promise.poll(waitScope); }

  kj::EventLoop loop;
  kj::WaitScope waitScope{loop};
  Auctioneer auctioneer;
  SlowStore store;
  RecentLog log_;
  CommitTracker tracker = single();
  kj::TimerImpl timer{kj::origin<kj::TimePoint>() + 1 * kj::SECONDS};
  Checkpointer checkpointer{store,     auctioneer.state, timer,
                            16 * 1024, WorkPace(),       [this]() { consider(); }};

private:
  static CommitTracker single() {
    CommitTracker tracker;
    tracker.adopt(Role::single, 0);
    return tracker;
  }
};

TEST_F(CheckpointerTest, MakesOneForWhoAsksOnAnIdleChain) {
  log(2);
  EXPECT_TRUE(store.begun.empty()) << "it was not due";
  auto stored = askFor(2);
  ASSERT_EQ(store.begun.size(), 1u);
  EXPECT_FALSE(isReady(stored));
  finishOne();
  EXPECT_TRUE(isReady(stored));
}

TEST_F(CheckpointerTest, MakesTheNextOneForWhoAskedWhileOneWasWritten) {
  log(2);
  auto first = askFor(2);
  log(3);
  // Nothing happens in the chain after this.
  auto second = askFor(5);
  ASSERT_EQ(store.begun.size(), 1u) << "one at a time";
  finishOne();
  EXPECT_TRUE(isReady(first));
  EXPECT_FALSE(isReady(second));
  ASSERT_EQ(store.begun.size(), 1u) << "nobody makes the one that is waited for";
  EXPECT_EQ(store.begun.front().index, 5u);
  finishOne();
  EXPECT_TRUE(isReady(second));
}

TEST_F(CheckpointerTest, MakesTheNextOneThatFellDueWhileOneWasWritten) {
  log(2);
  auto first = askFor(2);
  while (log_.bytes() < 64 * 1024) log(5);
  ASSERT_EQ(store.begun.size(), 1u);
  finishOne();
  EXPECT_TRUE(isReady(first));
  ASSERT_EQ(store.begun.size(), 1u);
  EXPECT_EQ(store.begun.front().index, auctioneer.end.index);
}

}  // namespace
}  // namespace gavel::chain
