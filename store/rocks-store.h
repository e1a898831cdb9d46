#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <kj/async.h>
#include <kj/string.h>

#include "base/file-system.h"
#include "base/random.h"
#include "base/worker-thread.h"
#include "store/store.h"

namespace gavel {

class DiskMonitor;
class RocksDatabase;
class RocksEnded;
class RocksWriter;
class SegmentedLog;
struct RocksShared;

// When a write counts as durable.
enum class SyncMode {
  always,  // After fsync.
  never,   // At once: replication alone protects the data, as in the chain replication paper.
};

struct RocksStoreOptions {
  SyncMode sync = SyncMode::always;
  // How much of the newest log is kept for nodes that catch up, whichever is less.  What follows
  // the checkpoint is kept in any case.
  std::uint64_t retainBytes = 64 << 20;
  std::uint64_t retainEntries = 1'000'000;
  // Sets aside what is damaged, and begins anew as another, empty store.
  bool replaceDamaged = false;
  // The length of the log's segments, and how much RocksDB gathers before it writes a table.  The
  // latter is also about how much RocksDB has to read again after a crash.
  std::uint64_t segmentBytes = 4 << 20;
  std::size_t writeBufferBytes = 32 << 20;
  // Outlives the store.
  FileSystem* files = &machineFiles();
};

// A store in a data directory (data-directory.h): the log in segments (segmented-log.h), and the
// rest in a RocksDB database (rocks-database.h).
//
// Two threads do what blocks.  One writes, in order, and waits for syncs; the other reads.  So a
// batch does not wait until a snapshot or a history was read, and a reader does not wait until the
// disk has synced.  RocksDB does not make readers and a writer wait for each other.
//
// What it finds when it is opened is made durable before anybody hears of it (R2).
//
// Damage is found by checksums where something is read or opened.  It ends the process, and leaves
// a note in the directory that refuses the next start.  What a damaged log has lost at its end is
// found by comparison with a marker of what was durable.  Then the store works, but says so in
// `recovered().damage` until it has caught up again.
class RocksStore final: public Store {
public:
  using Options = RocksStoreOptions;

  // Opens `directory`, and formats it if it is empty or missing.  Throws FAILED with a text for the
  // operator: not a directory, no permission, locked by another process, another format, damaged.
  RocksStore(kj::StringPtr directory, const RocksStoreOptions& options, Random& random);
  RocksStore(kj::StringPtr directory, SyncMode sync, Random& random)
      : RocksStore(directory, RocksStoreOptions{.sync = sync}, random) {}
  // Does all that is queued, and syncs it.  No promise of this object may be left.
  ~RocksStore() noexcept(false) override;
  KJ_DISALLOW_COPY(RocksStore);

  // `damage` is empty again once what was lost has been made up for.
  const Recovered& recovered() const override;
  kj::Promise<Image> load() override;
  void append(BatchPtr batch) override;
  kj::Promise<std::uint64_t> durableAbove(std::uint64_t index) override;
  kj::Promise<void> cut(Position end) override;
  Position logStart() const override;
  // readLog() and lastWithin() do not see what is queued but not written yet.
  kj::Promise<std::vector<BatchPtr>> readLog(std::uint64_t after, std::size_t maxBytes) override;
  kj::Promise<kj::Maybe<Position>> lastWithin(Position limit) override;
  kj::Promise<void> saveConfiguration(const Configuration& configuration) override;
  void discard(auction::State state) override;
  kj::Promise<void> savePromise(const RebuildPromise& promise) override;
  void saveBound(const Bound& bound) override;
  kj::Promise<std::string> keepAside(std::uint64_t after, std::uint64_t epoch) override;
  kj::Promise<void> checkpoint(Position at, auction::Changes changes) override;
  kj::Own<SnapshotReader> openSnapshot() override;
  kj::Promise<void> beginInstall() override;
  kj::Promise<void> install(kj::Array<kj::byte> records) override;
  kj::Promise<void> finishInstall(Position at) override;
  DiskActivity activity() const override;
  void probe() override;
  const auction::EndedAuctions& ended() const override;
  kj::Promise<std::vector<auction::Version>> history(auction::AuctionId auction,
                                                     std::uint64_t first,
                                                     std::uint64_t count) override;
  kj::Promise<std::vector<auction::Auction>> auctions(auction::AuctionId after,
                                                      std::size_t limit) override;

private:
  mutable Recovered recovered_;
  Position end;  // The end of the log, with all that is queued.
  bool installing = false;
  std::unique_ptr<DiskMonitor> monitor;
  std::unique_ptr<FileSystem> files;
  std::shared_ptr<RocksDatabase> database;
  std::shared_ptr<SegmentedLog> log;
  std::shared_ptr<RocksShared> shared;
  std::unique_ptr<RocksEnded> ended_;
  std::unique_ptr<RocksWriter> writer;
  std::unique_ptr<WorkerThread> readThread;
  kj::Canceler finishing;
};

}  // namespace gavel
