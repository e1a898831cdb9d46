#pragma once

#include <memory>

#include <kj/string.h>

#include "base/worker-thread.h"
#include "master/config-store.h"

namespace rocksdb {
class DB;
}

namespace gavel::master {

// The document on this machine's disk, in a RocksDB database behind a thread of its own.  Every
// swap is fsynced before it resolves.  For a single master: RocksDB lets one process at a time in.
//
// Two keys, "document" and "note".  A value: 8 bytes that name the format, 8 bytes XXH3-64 of all
// that follows, 8 bytes version (0 of the note), the content; numbers little-endian.  The checksum
// is over the value as a whole, on top of RocksDB's per block, so that a value from another place
// or time is noticed too.  The note is written on a thread of its own, so that no swap waits in
// line after it.
class EmbeddedStore final: public ConfigStore {
public:
  // Opens `directory`, making it if it is missing.  Blocks.  Throws FAILED with a text for the
  // operator that names the directory: in use by another process, not a directory, no permission,
  // damaged.
  explicit EmbeddedStore(kj::StringPtr directory);
  ~EmbeddedStore() noexcept(false) override;
  KJ_DISALLOW_COPY(EmbeddedStore);

  kj::Promise<Stored> get() override;
  kj::Promise<kj::Maybe<std::uint64_t>> compareAndSwap(std::uint64_t expectedVersion,
                                                       kj::Array<const kj::byte> document) override;
  kj::Promise<Stored> watch(std::uint64_t version) override;
  kj::Promise<void> putNote(kj::Array<const kj::byte> note) override;
  kj::Promise<kj::Array<const kj::byte>> getNote() override;

private:
  kj::String directory;
  std::unique_ptr<rocksdb::DB> db;
  std::uint64_t newest = 0;  // The version last read or written, as far as this thread knows.
  Watchers watchers;
  WorkerThread noteThread;
  WorkerThread
      thread;  // Last, as the one before: their jobs use the database until they have ended.

  void open();
  // On a thread.
  Stored read(const char* key) const;
  void write(const char* key, std::uint64_t version, kj::ArrayPtr<const kj::byte> content);
};

}  // namespace gavel::master
