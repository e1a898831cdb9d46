#pragma once

#include <memory>
#include <string>

#include <kj/async.h>
#include <kj/string.h>

#include "base/random.h"
#include "base/worker-thread.h"
#include "chain/store.h"

namespace rocksdb {
class DB;
class WriteBatch;
}  // namespace rocksdb

namespace gavel::chain {

// When a write counts as durable.
enum class SyncMode {
  always,  // After fsync.
  never,   // At once: replication alone protects the data, as in the chain replication paper.
};

// A store in a RocksDB database, one per data directory, behind a thread of its own.
//
// Keys (all values little-endian where binary):
//   format         the format version, as decimal text
//   store-id       8 bytes
//   configuration  schema Configuration, flat stream framing, behind 8 bytes XXH3-64 of it
//   log/INDEX      a batch (log.capnp), by its first index as 8 bytes big-endian
class RocksStore final: public Store {
public:
  // Opens `directory`, formatting it if it is empty or missing.  Throws FAILED with a text for the
  // operator: not a directory, no permission, locked by another process, another format, damaged.
  RocksStore(kj::StringPtr directory, SyncMode sync, Random& random);
  ~RocksStore() noexcept(false) override;
  KJ_DISALLOW_COPY(RocksStore);

  const Recovered& recovered() const override { return recovered_; }
  void append(BatchPtr batch) override;
  kj::Promise<std::uint64_t> durableAbove(std::uint64_t index) override;
  kj::Promise<void> saveConfiguration(const Configuration& configuration) override;

private:
  struct Pending;

  kj::String directory;
  SyncMode sync;
  Recovered recovered_;
  std::unique_ptr<rocksdb::DB> db;
  std::unique_ptr<Pending> pending;  // Shared with the thread.
  WorkerThread thread;               // Last: it uses the rest.

  void require(bool holds, kj::StringPtr problem, const std::string& why) const;
  void open(Random& random);
  void readConfiguration();
  void readLogEnd();
  void schedule();
  void writePending();
};

}  // namespace gavel::chain
