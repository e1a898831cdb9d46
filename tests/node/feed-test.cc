#include "tail/feed.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <kj/async.h>

#include "auction/state.h"

namespace gavel::tail {
namespace {

constexpr std::size_t KILOBYTE = 1024;

// A state with auctions, which are bid on in turn, and a feed of a bounded size.
class FeedTest: public ::testing::Test {
protected:
  static constexpr int AUCTIONS = 600;

  FeedTest() {
    apply(auction::OpenSession{});
    auction::CreateAuction create;
    create.owner = {"owner", {}};
    create.terms.duration = 1'000'000;
    for (int i = 0; i < AUCTIONS; ++i) {
      auto name = nameOf(i);
      create.auction = name;
      apply(create);
    }
    feed.restart(state.lastIndex());
  }
  ~FeedTest() noexcept override = default;

  // As long as possible, so that they exceed the memory for names several times.
  static std::string nameOf(int i) {
    auto number = std::to_string(i % AUCTIONS);
    return std::string(auction::MAX_NAME_BYTES - number.size(), 'x') + number;
  }

  void apply(const auction::Command& command) {
    auction::Entry entry{state.lastIndex() + 1, 1, {session, ++sequence, 1}, command};
    if (std::holds_alternative<auction::OpenSession>(command)) entry.request = {};
    events.clear();
    auto outcome = state.apply(entry, &events);
    ASSERT_EQ(outcome.kind, auction::Outcome::Kind::success);
  }
  // Bid number `i`, with a bidder of its own, on auction `i` modulo their number.
  void bid(int i) {
    auto name = nameOf(i);
    apply(auction::Bid{name, {"ann", {}}, i + 1});
    feed.applied(events);
  }
  void expectBid(const Feed::Change& change, int i) {
    EXPECT_EQ(std::string(change.auction.cStr()), nameOf(i));
    EXPECT_EQ(change.version.amount, i + 1);
    EXPECT_EQ(change.number, static_cast<std::uint64_t>(i / AUCTIONS) + 2);
  }

  auction::State state;
  Feed feed{64 * KILOBYTE};
  std::vector<auction::Event> events;
  const std::uint64_t session = 1;
  std::uint64_t sequence = 0;
};

TEST_F(FeedTest, HoldsTheLatestChangesWithTheirNames) {
  auto before = state.lastIndex();
  constexpr int BIDS = 3 * AUCTIONS;
  for (int i = 0; i < BIDS; ++i) {
    bid(i);
    feed.committed(state.lastIndex());
    // Everything that it holds is whole, however much was dropped.
    auto page = feed.read(feed.start(), BIDS);
    ASSERT_EQ(page.size(), state.lastIndex() - feed.start());
    if (i % 97 > 0) continue;
    for (std::size_t k = 0; k < page.size(); ++k) {
      expectBid(*page[k], static_cast<int>(feed.start() - before + k));
    }
  }
  EXPECT_GT(feed.start(), before) << "nothing was forgotten";
  auto kept = feed.read(feed.start(), BIDS).size();
  EXPECT_GT(kept, 64 * KILOBYTE / (2 * sizeof(Feed::Change) + 2 * auction::MAX_NAME_BYTES));
  EXPECT_LT(kept, 64 * KILOBYTE / auction::MAX_NAME_BYTES);
}

TEST_F(FeedTest, ForgetsNothingThatIsNotCommitted) {
  auto before = state.lastIndex();
  for (int i = 0; i < AUCTIONS; ++i) bid(i);
  EXPECT_EQ(feed.start(), before);
  EXPECT_TRUE(feed.read(before, AUCTIONS).empty()) << "nothing is committed";
  EXPECT_EQ(feed.newest(), nullptr);
  feed.committed(state.lastIndex());
  EXPECT_EQ(feed.read(before, AUCTIONS).size(), static_cast<std::size_t>(AUCTIONS));
  expectBid(*feed.newest(), AUCTIONS - 1);
}

TEST_F(FeedTest, BeginsAnewWithAnotherState) {
  for (int i = 0; i < AUCTIONS / 2; ++i) bid(i);
  feed.committed(state.lastIndex());
  feed.restart(state.lastIndex());
  EXPECT_EQ(feed.newest(), nullptr);
  auto start = feed.start();
  for (int i = AUCTIONS / 2; i < AUCTIONS; ++i) bid(i);
  feed.committed(state.lastIndex());
  auto page = feed.read(start, AUCTIONS);
  ASSERT_EQ(page.size(), static_cast<std::size_t>(AUCTIONS / 2));
  expectBid(*page[0], AUCTIONS / 2);
}

TEST_F(FeedTest, WakesThoseWhoWaitForAnAuctionOrAny) {
  kj::EventLoop loop;
  kj::WaitScope waitScope(loop);
  auto first = feed.next(nameOf(0));
  auto other = feed.next(nameOf(1));
  auto any = feed.next();
  bid(0);
  EXPECT_FALSE(first.poll(waitScope)) << "it is not committed";
  feed.committed(state.lastIndex());
  EXPECT_TRUE(first.poll(waitScope));
  EXPECT_TRUE(any.poll(waitScope));
  EXPECT_FALSE(other.poll(waitScope));
  first.wait(waitScope);
}

}  // namespace
}  // namespace gavel::tail
