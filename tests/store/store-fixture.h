#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <kj/debug.h>

#include "store/rocks-store.h"
#include "tests/store/auctioneer.h"
#include "tests/support/fakes.h"

namespace gavel {

inline void PrintTo(const Position& position, std::ostream* out) {
  *out << "{epoch " << position.epoch << ", index " << position.index << ", checksum "
       << position.checksum << "}";
}

// A data directory, and ways to open it.
class StoreFixture: public ::testing::Test {
protected:
  ~StoreFixture() noexcept override = default;

  kj::Own<RocksStore> open(const RocksStoreOptions& options = {}) {
    return kj::heap<RocksStore>(path().c_str(), options, random);
  }
  // The reason why opening is refused; empty if it is not.
  std::string openError(const RocksStoreOptions& options = {}) {
    return errorOf([&]() { open(options); });
  }
  template <typename Function>
  std::string errorOf(Function&& function) {
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { function(); })) {
      return exception->getDescription().cStr();
    }
    return "";
  }
  virtual std::string path() {
    if (!directory) directory = std::make_unique<gavel::testing::TemporaryDirectory>();
    return directory->path();
  }

  template <typename T>
  auto wait(kj::Promise<T>&& promise) {
    return promise.wait(io.waitScope);
  }
  void waitDurable(RocksStore& store, std::uint64_t index) {
    for (std::uint64_t durable = 0; durable < index;) durable = wait(store.durableAbove(durable));
  }
  // Appends `batches` batches of `size` entries.
  void append(RocksStore& store, Auctioneer& auctioneer, unsigned batches, unsigned size = 10) {
    for (unsigned i = 0; i < batches; ++i) store.append(auctioneer.next(size));
    waitDurable(store, auctioneer.end.index);
  }
  // The same, with a write of its own for each.
  void appendEach(RocksStore& store, Auctioneer& auctioneer, unsigned batches) {
    for (unsigned i = 0; i < batches; ++i) append(store, auctioneer, 1);
  }
  void checkpoint(RocksStore& store, Auctioneer& auctioneer) {
    auto changes = auctioneer.state.capture();
    auto copy = changes;
    wait(store.checkpoint(auctioneer.end, std::move(copy)));
    auctioneer.state.release(changes);
  }
  std::vector<kj::Array<kj::byte>> readSnapshot(SnapshotReader& reader) {
    std::vector<kj::Array<kj::byte>> parts;
    for (;;) {
      auto part = wait(reader.next());
      if (part.size() == 0) return parts;
      parts.push_back(kj::mv(part));
    }
  }
  void install(RocksStore& store, SnapshotReader& reader) {
    wait(store.beginInstall());
    for (auto& part: readSnapshot(reader)) wait(store.install(kj::mv(part)));
    wait(store.finishInstall(reader.position()));
  }

  // Expects all that the auctioneer made, up to its end.
  void expectAll(RocksStore& store, const Auctioneer& auctioneer) {
    auto image = wait(store.load());
    EXPECT_EQ(image.end(), auctioneer.end);
    for (auto& batch: image.log) {
      batch->forEach([&](const auction::Entry& entry) { image.state.apply(entry); });
    }
    EXPECT_EQ(image.state.hash(), auctioneer.reference.hash());
  }
  // Expects the same of the checkpoint, with histories.
  void expectCheckpoint(RocksStore& store, const auction::State& reference) {
    auto all = reference.listAuctions(0, 1'000'000);
    auto stored = wait(store.auctions(0, 1'000'000));
    ASSERT_EQ(stored.size(), all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      auto& expected = *all[i];
      EXPECT_EQ(stored[i].name, expected.name);
      EXPECT_EQ(stored[i].phase, expected.phase);
      EXPECT_EQ(stored[i].highest, expected.highest);
      EXPECT_EQ(stored[i].historyDigest, expected.historyDigest);
      auto versions = wait(store.history(expected.id, 1, stored[i].versionsApart()));
      versions.insert(versions.end(), stored[i].history.begin(), stored[i].history.end());
      ASSERT_EQ(versions.size(), expected.history.size());
      for (std::size_t v = 0; v < versions.size(); ++v) {
        EXPECT_EQ(versions[v].index, expected.history[v].index);
        EXPECT_EQ(versions[v].amount, expected.history[v].amount);
      }
      auto found = store.ended().find(expected.name);
      EXPECT_EQ(found.has_value(), expected.phase != auction::Auction::Phase::open);
      if (found) {
        EXPECT_EQ(found->id, expected.id);
      }
    }
  }

  kj::AsyncIoContext io = kj::setupAsyncIo();
  std::unique_ptr<gavel::testing::TemporaryDirectory> directory;  // Null until it is asked for.
  gavel::testing::SeededRandom random{1};
};

}  // namespace gavel
