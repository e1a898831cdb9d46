#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include <kj/async.h>
#include <kj/function.h>
#include <rocksdb/write_batch.h>

#include "base/worker-thread.h"
#include "store/disk-monitor.h"
#include "store/rocks-committed.h"
#include "store/rocks-recovery.h"

namespace gavel {

// Writes what a store is given, in the order of the calls, on a thread of its own.  Batches that
// follow each other and gathered while the disk was busy go into one write with one sync.
//
// Called on the event loop.  It fulfils the promises there.
class RocksWriter {
public:
  using Fulfiller = kj::Own<kj::CrossThreadPromiseFulfiller<void>>;

  // If `sync` is false, nothing is synced, and what was written counts as durable.
  RocksWriter(Opened&& opened, std::shared_ptr<RocksDatabase> database,
              std::shared_ptr<SegmentedLog> log, std::shared_ptr<RocksShared> shared,
              const auction::EndedAuctions& ended, DiskMonitor& monitor, bool sync);
  KJ_DISALLOW_COPY(RocksWriter);

  void append(BatchPtr batch);
  // Puts `value` under one of the keys in rocks-database.h, durably.
  void save(const char* key, std::string value, Fulfiller fulfiller);
  void bound(const Bound& bound);
  void cut(Position end, Fulfiller fulfiller);
  void checkpoint(Position at, std::string records, Fulfiller fulfiller);
  void beginInstall(Fulfiller fulfiller);
  void install(kj::Array<kj::byte> records, Fulfiller fulfiller);
  void finishInstall(Position at, Fulfiller fulfiller);
  // Has the marker written anew and synced, unless something else is queued.
  void probe();
  // Calls `next` on the thread once everything queued before it is durable.
  void afterAll(kj::Function<void()> next);

  kj::Promise<std::uint64_t> durableAbove(std::uint64_t index);
  // Whether a log that was damaged at the start holds again all that counts.
  bool healed();

  // Does all that is left, and makes it durable.  What is queued later is dropped.
  void close();

private:
  struct Append {
    BatchPtr batch;
  };
  struct Save {
    const char* key;
    std::string value;
    Fulfiller fulfiller;
  };
  struct NoteBound {
    Bound bound;
  };
  struct Cut {
    Position end;
    Fulfiller fulfiller;
  };
  struct Checkpoint {
    Position at;
    std::string records;
    Fulfiller fulfiller;
  };
  struct BeginInstall {
    Fulfiller fulfiller;
  };
  struct Install {
    kj::Array<kj::byte> records;
    Fulfiller fulfiller;
  };
  struct FinishInstall {
    Position at;
    bool audited = false;
    Fulfiller fulfiller;
  };
  struct Probe {};
  struct AfterAll {
    kj::Function<void()> next;
  };
  using Work = std::variant<Append, Save, NoteBound, Cut, Checkpoint, BeginInstall, Install,
                            FinishInstall, Probe, AfterAll>;
  static constexpr std::uint64_t NO_CUT = std::numeric_limits<std::uint64_t>::max();

  // The next write.
  struct Group {
    rocksdb::WriteBatch batch;
    std::vector<BatchPtr> batches;
    std::vector<Fulfiller> saves;
  };

  const std::shared_ptr<RocksDatabase> database;
  const std::shared_ptr<SegmentedLog> log;
  const std::shared_ptr<RocksShared> shared;
  const auction::EndedAuctions& ended;
  DiskMonitor& monitor;
  const bool sync;

  // -- used by both threads, with the mutex held

  std::mutex mutex;
  std::vector<Work> queue;
  bool scheduled = false;
  bool closed = false;
  bool healed_ = false;
  std::uint64_t durable = 0;
  // What is about to be cut is not reported as durable any more (R9).
  unsigned cutsAhead = 0;
  std::uint64_t cutTo = NO_CUT;
  std::uint64_t awaitedAbove = 0;
  kj::Maybe<kj::Own<kj::CrossThreadPromiseFulfiller<std::uint64_t>>> awaited;

  // -- used by the thread

  std::unique_ptr<MarkerFile> markerFile;
  DurableMarker marker;
  std::chrono::steady_clock::time_point markerSynced;
  Position checkpoint_;
  // The index of the newest checkpoint that is certainly durable.
  std::uint64_t durableCheckpoint;
  LogWindow window;
  bool installing;
  bool finished = false;
  std::string lastKey;  // The last key of the snapshot that is being installed.

  std::unique_ptr<WorkerThread> thread;  // Last: it uses the rest.

  void post(Work work);
  void announceCut(std::uint64_t index);
  std::uint64_t visible() const;
  void tellDurable(std::uint64_t index, bool cutDone);

  void process();
  void run(Group& group, Work& work);
  void write(Group& group);
  void run(Cut& cut);
  void run(Checkpoint& checkpoint);
  void truncate(const Position& at);
  void run(BeginInstall& begin);
  void run(Install& install);
  void run(FinishInstall& finish);
  void runProbe();
  void audit(Position at, Fulfiller fulfiller);

  bool saidFull = false;  // A probe has said that the disk is full.

  void commit(rocksdb::WriteBatch& batch, bool synced, kj::StringPtr doing);
  void syncDatabase();
  void noteDatabaseSynced();
  void publish(const Position& logStart);
  void note(const std::vector<BatchPtr>& batches);
  void rewind(const Position& end);
  void heal();
  void mark(bool syncNow);
};

}  // namespace gavel
