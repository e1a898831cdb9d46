#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <kj/async.h>

#include "store/store.h"

namespace gavel {

// A store without a disk, for tests and simulation.  Writes become durable when the owner says so,
// or at once.  The owner can end it like a process or a machine that crashes, and go on with what
// is left.
//
// Invariant: the durable contents are the written contents without the writes in `unsynced`.
class MemoryStore final: public Store {
public:
  enum class Sync { atOnce, manual };
  enum class Crash {
    process,  // What was written is still there, synced or not.
    power,    // Only what was synced is still there.
  };
  struct Options {
    // Batches before the checkpoint are kept while the log from them on is within this.  It is
    // little, so that in tests a log soon begins too late for somebody.
    std::size_t retainedBytes = 4096;
    // Parts of a snapshot have this size, and one record more.
    std::size_t partBytes = 1024;
    // Whether restart() syncs what it leaves.  Otherwise load() waits until the owner has done so.
    bool syncAtRestart = true;
  };

  MemoryStore(std::uint64_t storeId, Sync sync): MemoryStore(storeId, sync, Options()) {}
  MemoryStore(std::uint64_t storeId, Sync sync, Options options);
  ~MemoryStore() noexcept(false) override = default;
  KJ_DISALLOW_COPY(MemoryStore);

  // The store of the next process if this one ends now.  If power is lost, the first `kept` of the
  // unsynced writes are on the disk.
  kj::Own<MemoryStore> restart(Crash crash, std::size_t kept = 0) const;

  // Makes all that was written so far durable.
  void syncNow() { sync(unsynced.size()); }
  // Makes the first `writes` unsynced writes durable, like a sync that began when there were no
  // more.
  void sync(std::size_t writes);
  std::size_t unsyncedWrites() const { return unsynced.size(); }

  // The batches that were written, the durable part of them, the durable configuration, and the
  // position of the checkpoint.
  const std::deque<BatchPtr>& batches() const { return written.log; }
  Position durableEnd() const { return (unsyncedSince ? *unsyncedSince : durable).logEnd(); }
  const Configuration& configuration() const { return durable.configuration; }
  const Position& checkpointed() const { return written.checkpoint; }
  const Bound& bound() const { return durable.bound; }
  const RebuildPromise& promised() const { return durable.promised; }
  // Entries that were kept aside before they were dropped.
  const std::vector<BatchPtr>& aside() const { return written.aside; }

  const Recovered& recovered() const override { return recovered_; }
  kj::Promise<Image> load() override;
  void append(BatchPtr batch) override;
  kj::Promise<std::uint64_t> durableAbove(std::uint64_t index) override;
  kj::Promise<void> cut(Position end) override;
  Position logStart() const override { return written.logStart; }
  kj::Promise<std::vector<BatchPtr>> readLog(std::uint64_t after, std::size_t maxBytes) override;
  kj::Promise<kj::Maybe<Position>> lastWithin(Position limit) override;
  kj::Promise<void> saveConfiguration(const Configuration& configuration) override;
  kj::Promise<void> savePromise(const RebuildPromise& promise) override;
  void saveBound(const Bound& bound) override;
  kj::Promise<std::string> keepAside(std::uint64_t after, std::uint64_t epoch) override;
  kj::Promise<void> checkpoint(Position at, auction::Changes changes) override;
  kj::Own<SnapshotReader> openSnapshot() override;
  kj::Promise<void> beginInstall() override;
  kj::Promise<void> install(kj::Array<kj::byte> records) override;
  kj::Promise<void> finishInstall(Position at) override;
  // Memory always answers.
  DiskActivity activity() const override { return {syncedWrites, false, {}}; }
  void probe() override {}
  const auction::EndedAuctions& ended() const override { return ended_; }
  kj::Promise<std::vector<auction::Version>> history(auction::AuctionId auction,
                                                     std::uint64_t first,
                                                     std::uint64_t count) override;
  kj::Promise<std::vector<auction::Auction>> auctions(auction::AuctionId after,
                                                      std::size_t limit) override;

private:
  using Records = std::map<std::string, std::string, std::less<>>;
  using Readers = std::multiset<std::uint64_t>;
  class Snapshot;

  // The contents of a data directory.
  struct Contents {
    Configuration configuration;
    Position checkpoint;
    Records records;  // As of the checkpoint.
    Position logStart;
    std::deque<BatchPtr> log;
    bool installing = false;  // The records are a part of a snapshot.
    Bound bound;
    RebuildPromise promised;
    std::vector<BatchPtr> aside;

    Position logEnd() const { return log.empty() ? logStart : log.back()->end(); }
    bool holds(Position position) const;
    void clear();
    // Why it is no source: it lacks what it knew to be committed.  Empty: it lacks nothing.
    std::string lack() const;
  };
  using Change = std::function<void(Contents&)>;

  class Ended final: public auction::EndedAuctions {
  public:
    explicit Ended(const Records& records): records(records) {}
    std::optional<auction::Auction> find(std::string_view name) const override;

  private:
    const Records& records;
  };

  struct Waiter {
    std::uint64_t above;
    kj::Own<kj::PromiseFulfiller<std::uint64_t>> fulfiller;
  };
  struct SyncWaiter {
    std::uint64_t writes;  // How many writes have to be durable, counted from the start.
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;
  };
  static constexpr std::uint64_t NO_CUT = std::numeric_limits<std::uint64_t>::max();

  Sync sync_;
  Options options;
  Recovered recovered_;
  Contents written, durable;
  // With Bug::countReadAsDurable, once a process has read what was never synced: the truly durable
  // contents.
  std::optional<Contents> unsyncedSince;
  struct Write {
    Change change;
    std::uint64_t cutTo;  // If it is a cut: the end of the log after it.
  };
  std::deque<Write> unsynced;
  std::uint64_t syncedWrites = 0;
  Ended ended_{written.records};
  // The positions of the snapshots that are being read.  It is shared, since they may outlive the
  // store.
  std::shared_ptr<Readers> readers = std::make_shared<Readers>();
  kj::Maybe<Waiter> waiter;
  std::deque<SyncWaiter> syncWaiters;

  void write(Change change, std::uint64_t cutTo = NO_CUT);
  // Resolves when all that is written now is durable.
  kj::Promise<void> whenSynced();
  std::uint64_t durableIndex() const;
  std::uint64_t truncationPoint(std::uint64_t checkpoint) const;
};

}  // namespace gavel
