#pragma once

#include <array>
#include <string>
#include <variant>

#include <gtest/gtest.h>
#include <kj/async.h>
#include <kj/debug.h>

#include "tests/support/memory-store.h"

namespace gavel {

// A replica without a chain: what it appends is committed at once.
struct Writer {
  kj::Own<MemoryStore> store;
  auction::State state{&store->ended()};
  std::uint64_t sequence = 0;

  Position end() const {
    return store->batches().empty() ? store->logStart() : store->batches().back()->end();
  }

  // Appends a batch of one entry, and applies it.
  auction::Outcome append(const auction::Command& command, std::uint64_t epoch = 1) {
    auction::Entry entry{state.lastIndex() + 1, auction::Stamp(state.lastIndex() + 1), {}, command};
    bool client = std::holds_alternative<auction::Bid>(command) ||
                  std::holds_alternative<auction::CreateAuction>(command) ||
                  std::holds_alternative<auction::CloseAuction>(command);
    if (client) entry.request = {1, ++sequence, sequence};
    store->append(Batch::make(epoch, end(), {&entry, 1}));
    return state.apply(entry);
  }
  void open() { append(auction::OpenSession{}); }
  void create(std::string_view name) {
    auction::CreateAuction create{name, {"owner", {}}, {}};
    create.terms.item = "a lamp";
    create.terms.duration = 1'000'000;
    KJ_ASSERT(append(create).kind == auction::Outcome::Kind::success);
  }
  void bid(std::string_view name, auction::Amount amount) {
    auto outcome = append(auction::Bid{name, {"ann", {}}, amount});
    KJ_ASSERT(outcome.kind == auction::Outcome::Kind::success);
  }
  void close(std::string_view name) {
    auto outcome = append(auction::CloseAuction{name, {"owner", {}}});
    KJ_ASSERT(outcome.kind == auction::Outcome::Kind::success);
  }
  void checkpoint(kj::WaitScope& waitScope) {
    auto changes = state.capture();
    auto lastIndex = changes.lastIndex;
    auto stored = changes.toRelease;
    store->checkpoint(end(), kj::mv(changes)).wait(waitScope);
    state.release({lastIndex, "", stored});
  }
};

class MemoryStoreTest: public ::testing::Test {
protected:
  ~MemoryStoreTest() noexcept override = default;

  static Writer writer(MemoryStore::Sync sync = MemoryStore::Sync::atOnce,
                       MemoryStore::Options options = {}) {
    return {kj::heap<MemoryStore>(7, sync, options)};
  }
  // Has open and ended auctions, and makes checkpoints meanwhile.
  Writer filled(MemoryStore::Options options = {}) {
    auto w = writer(MemoryStore::Sync::atOnce, options);
    w.open();
    w.create("lamp");
    w.create("vase");
    w.checkpoint(waitScope);
    for (int i = 1; i <= 20; ++i) w.bid("lamp", 100 * i);
    w.create("chair");
    w.close("vase");
    w.checkpoint(waitScope);
    for (int i = 21; i <= 30; ++i) w.bid("lamp", 100 * i);
    return w;
  }

  // The hash of an image once its log is applied.
  static std::array<std::uint8_t, 32> hashOf(Image image) {
    for (auto& batch: image.log) {
      batch->forEach([&](const auction::Entry& entry) { image.state.apply(entry); });
    }
    return image.state.hash();
  }

  template <typename T>
  std::string errorOf(kj::Promise<T> promise) {
    return promise.then([](T&&) { return std::string(); }, describe).wait(waitScope);
  }
  std::string errorOf(kj::Promise<void> promise) {
    return promise.then([]() { return std::string(); }, describe).wait(waitScope);
  }
  static std::string describe(kj::Exception&& e) { return e.getDescription().cStr(); }

  kj::EventLoop loop;
  kj::WaitScope waitScope{loop};
};

}  // namespace gavel
