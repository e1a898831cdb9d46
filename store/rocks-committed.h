#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>

#include "base/worker-thread.h"
#include "store/rocks-database.h"

namespace gavel {

// A checkpoint that stays readable while the store goes on.
class Committed {
public:
  // Takes the newest one in the database.
  explicit Committed(std::shared_ptr<RocksDatabase> database)
      : database(std::move(database)),
        snapshot(this->database->db().GetSnapshot()),
        position(this->database->readPosition(meta::CHECKPOINT, snapshot)) {}
  ~Committed() { database->db().ReleaseSnapshot(snapshot); }
  KJ_DISALLOW_COPY(Committed);

  const std::shared_ptr<RocksDatabase> database;
  const rocksdb::Snapshot* const snapshot;
  const Position position;
};

// What the threads of a store share with each other and with readers of its snapshots.
struct RocksShared {
  std::mutex mutex;  // Guards all of it.
  std::shared_ptr<const Committed> committed;
  Position logStart;
  std::multiset<std::uint64_t> readers;  // Indexes of the snapshots that are being read.
  WorkerThread* readThread = nullptr;    // Null once the store is gone.

  std::shared_ptr<const Committed> newest() {
    std::lock_guard<std::mutex> lock(mutex);
    return committed;
  }
};

}  // namespace gavel
