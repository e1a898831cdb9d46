#include "log/batch.h"

#include <functional>

#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/support/entries.h"

namespace gavel {
namespace {

TEST(Batch, GivesBackWhatItWasMadeOf) {
  auction::CredentialHash credential{};
  for (std::size_t i = 0; i < credential.size(); ++i) credential[i] = static_cast<uint8_t>(i * 7);
  auction::Terms terms;
  terms.item = "a lamp";
  terms.duration = 60;
  terms.startingPrice = 5;
  terms.reserve = 50;
  terms.increment = {auction::Increment::Kind::percent, 250};
  terms.softClose = {1, 2, 90};
  std::vector<auction::Entry> entries = {
      {8, 100, {}, auction::OpenSession{}},
      {9, 101, {}, auction::ExpireSessions{77, 5}},
      {10, 102, {8, 3, 2}, auction::Bid{"lamp", {"ann", credential}, 120}},
      {11, 103, {8, 4, 2}, auction::CreateAuction{"lamp", {"bob", credential}, terms}},
      {12, 104, {8, 5, 2}, auction::CloseAuction{"lamp", {"bob", credential}}},
      {13, 105, {8, 6, 2}, auction::CancelAuction{"lamp", {"bob", credential}}},
      {14, 106, {}, auction::CloseExpired{}},
      {15, 107, {}, auction::CloseExpired{1000}},
      {16, 108, {}, auction::CloseDue{"vase"}},
      {17, 109, {}, auction::Tick{}},
  };
  auto made = Batch::make(3, {2, 7, 99}, entries);
  auto read = Batch::parse(made->bytes());

  EXPECT_EQ(read->epoch(), 3u);
  EXPECT_EQ(read->firstIndex(), 8u);
  EXPECT_EQ(read->lastIndex(), 17u);
  EXPECT_EQ(read->lastStamp(), 109);
  EXPECT_EQ(read->previous(), (Position{2, 7, 99}));
  EXPECT_EQ(read->end(), made->end());

  std::vector<auction::Entry> seen;
  read->forEach([&](const auction::Entry& entry) { seen.push_back(entry); });
  ASSERT_EQ(seen.size(), entries.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].index, entries[i].index);
    EXPECT_EQ(seen[i].stamp, entries[i].stamp);
    EXPECT_EQ(seen[i].request.session, entries[i].request.session);
    EXPECT_EQ(seen[i].request.sequence, entries[i].request.sequence);
    EXPECT_EQ(seen[i].request.lowestIncomplete, entries[i].request.lowestIncomplete);
    EXPECT_EQ(seen[i].command.index(), entries[i].command.index());
  }
  EXPECT_EQ(std::get<auction::ExpireSessions>(seen[1].command).idleSince, 77);
  EXPECT_EQ(std::get<auction::ExpireSessions>(seen[1].command).limit, 5u);
  EXPECT_EQ(std::get<auction::CloseExpired>(seen[6].command).limit, 0u);
  EXPECT_EQ(std::get<auction::CloseExpired>(seen[7].command).limit, 1000u);
  EXPECT_EQ(std::get<auction::CloseDue>(seen[8].command).auction, "vase");
  auto& bid = std::get<auction::Bid>(seen[2].command);
  EXPECT_EQ(bid.auction, "lamp");
  EXPECT_EQ(bid.bidder.name, "ann");
  EXPECT_EQ(bid.bidder.credential, credential);
  EXPECT_EQ(bid.amount, 120);
  auto& create = std::get<auction::CreateAuction>(seen[3].command);
  EXPECT_EQ(create.terms.item, "a lamp");
  EXPECT_EQ(create.terms.duration, 60);
  EXPECT_EQ(create.terms.startingPrice, 5);
  EXPECT_EQ(create.terms.reserve, 50);
  EXPECT_EQ(create.terms.increment.kind, auction::Increment::Kind::percent);
  EXPECT_EQ(create.terms.increment.value, 250);
  EXPECT_EQ(create.terms.softClose.window, 1);
  EXPECT_EQ(create.terms.softClose.extension, 2);
  EXPECT_EQ(create.terms.softClose.hardEnd, 90);
  EXPECT_EQ(std::get<auction::CancelAuction>(seen[5].command).owner.name, "bob");
}

TEST(Batch, ChecksumDependsOnEverythingBefore) {
  auto one = batchAfter({1, 4, 111}, 2);
  auto other = batchAfter({1, 4, 112}, 2);
  EXPECT_NE(one->end().checksum, other->end().checksum);
}

TEST(Batch, RefusesEveryFlippedBit) {
  auto batch = batchAfter({1, 4, 111}, 2);
  auto bytes = kj::heapArray(batch->bytes());
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    bytes[i / 8] ^= static_cast<kj::byte>(1 << (i % 8));
    bool refused = false;
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { Batch::parse(bytes); })) {
      refused = true;
    }
    EXPECT_TRUE(refused) << "bit " << i;
    bytes[i / 8] ^= static_cast<kj::byte>(1 << (i % 8));
  }
  Batch::parse(bytes);
}

TEST(Batch, RefusesEveryTruncation) {
  auto batch = batchAfter({1, 4, 111}, 2);
  for (std::size_t size = 0; size < batch->bytes().size(); ++size) {
    bool refused = false;
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions(
                                [&]() { Batch::parse(batch->bytes().slice(0, size)); })) {
      refused = true;
    }
    EXPECT_TRUE(refused) << "size " << size;
  }
}

}  // namespace
}  // namespace gavel
