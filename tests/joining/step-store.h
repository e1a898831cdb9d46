#pragma once

#include <kj/function.h>

#include "master/config-store.h"
#include "master/document.h"
#include "tests/support/memory-config-store.h"
#include "tests/support/memory-store.h"

namespace gavel::joining {

// The steps of a node's work on its store.  A test is notified before each.
enum class Step : std::uint8_t {
  none,
  named,          // It is about to adopt a configuration in which it is syncing.
  cutting,        // It is about to drop what the chain does not have.
  snapshotBegun,  // It is about to drop everything for a snapshot.
  snapshotHalf,   // The second part of the snapshot has arrived.
  snapshotEnds,   // All parts have arrived.
  loading,        // It is about to load what it has installed, or what a cut has left.
  logComes,       // The first batch has arrived, after the logs were compared.
  gated,          // The master knows of its gate, and is about to store that it serves.
  decided,        // The master has stored that it serves, but has not announced it.
  serves,         // It is about to adopt a configuration in which it serves.
};

// The store of one process, which passes everything on to the one that survives the process.
class StepStore final: public Store {
public:
  StepStore(MemoryStore& inner, kj::Function<void(Step)> tell): inner(inner), tell(kj::mv(tell)) {}

  const Recovered& recovered() const override { return inner.recovered(); }
  kj::Promise<Image> load() override {
    if (changed) tell(Step::loading);
    return inner.load();
  }
  void append(BatchPtr batch) override {
    tell(Step::logComes);
    inner.append(kj::mv(batch));
  }
  kj::Promise<std::uint64_t> durableAbove(std::uint64_t index) override {
    return inner.durableAbove(index);
  }
  kj::Promise<void> cut(Position end) override {
    changed = true;
    tell(Step::cutting);
    return inner.cut(end);
  }
  Position logStart() const override { return inner.logStart(); }
  kj::Promise<std::vector<BatchPtr>> readLog(std::uint64_t after, std::size_t maxBytes) override {
    return inner.readLog(after, maxBytes);
  }
  kj::Promise<kj::Maybe<Position>> lastWithin(Position limit) override {
    return inner.lastWithin(limit);
  }
  kj::Promise<void> saveConfiguration(const Configuration& configuration) override {
    for (auto& member: configuration.members) {
      if (member.storeId == recovered().storeId) tell(member.serving ? Step::serves : Step::named);
    }
    return inner.saveConfiguration(configuration);
  }
  kj::Promise<void> savePromise(const RebuildPromise& promise) override {
    return inner.savePromise(promise);
  }
  void saveBound(const Bound& bound) override { inner.saveBound(bound); }
  kj::Promise<std::string> keepAside(std::uint64_t after, std::uint64_t epoch) override {
    return inner.keepAside(after, epoch);
  }
  kj::Promise<void> checkpoint(Position at, auction::Changes changes) override {
    return inner.checkpoint(at, kj::mv(changes));
  }
  kj::Own<SnapshotReader> openSnapshot() override { return inner.openSnapshot(); }
  kj::Promise<void> beginInstall() override {
    changed = true;
    parts = 0;
    tell(Step::snapshotBegun);
    return inner.beginInstall();
  }
  kj::Promise<void> install(kj::Array<kj::byte> records) override {
    if (++parts == 2) tell(Step::snapshotHalf);
    return inner.install(kj::mv(records));
  }
  kj::Promise<void> finishInstall(Position at) override {
    tell(Step::snapshotEnds);
    return inner.finishInstall(at);
  }
  DiskActivity activity() const override { return inner.activity(); }
  void probe() override { inner.probe(); }
  const auction::EndedAuctions& ended() const override { return inner.ended(); }
  kj::Promise<std::vector<auction::Version>> history(auction::AuctionId auction,
                                                     std::uint64_t first,
                                                     std::uint64_t count) override {
    return inner.history(auction, first, count);
  }
  kj::Promise<std::vector<auction::Auction>> auctions(auction::AuctionId after,
                                                      std::size_t limit) override {
    return inner.auctions(after, limit);
  }

private:
  MemoryStore& inner;
  kj::Function<void(Step)> tell;
  bool changed = false;  // It was cut, or a snapshot was installed.
  unsigned parts = 0;
};

// The store of all masters of a test.  It reports each configuration before and after it is stored.
class StepConfigStore final: public master::ConfigStore {
public:
  using Tell = kj::Function<void(Step, const Configuration&)>;
  explicit StepConfigStore(Tell tell): tell(kj::mv(tell)) {}

  kj::Promise<master::Stored> get() override { return inner.get(); }
  kj::Promise<master::Stored> watch(std::uint64_t version) override { return inner.watch(version); }
  kj::Promise<void> putNote(kj::Array<const kj::byte> note) override {
    return inner.putNote(kj::mv(note));
  }
  kj::Promise<kj::Array<const kj::byte>> getNote() override { return inner.getNote(); }
  kj::Promise<kj::Maybe<std::uint64_t>> compareAndSwap(
      std::uint64_t expectedVersion, kj::Array<const kj::byte> document) override {
    auto next = master::Document::decode(document).current();
    tell(Step::gated, next);
    // Later in the turn, so that the observer comes first, and can end the master.
    return kj::evalLast([this, expectedVersion, document = kj::mv(document)]() mutable {
             return inner.compareAndSwap(expectedVersion, kj::mv(document));
           })
        .then([this, next](kj::Maybe<std::uint64_t> version) {
          tell(Step::decided, next);
          return kj::evalLast([version]() { return version; });
        });
  }

private:
  master::MemoryConfigStore inner;
  Tell tell;
};

}  // namespace gavel::joining
