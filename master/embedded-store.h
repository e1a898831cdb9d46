#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <kj/string.h>

#include "base/file-system.h"
#include "base/worker-thread.h"
#include "master/config-store.h"
#include "master/durable-version.h"

namespace rocksdb {
class DB;
class Status;
}  // namespace rocksdb

namespace gavel::master {

// The document on this machine's disk, in a RocksDB database behind a thread of its own.  Every
// swap is fsynced before it resolves.  For a single master.
//
// The directory:
//
//   lock              is locked for as long as a process uses the directory
//   durable-document  the newest version of the document that is durable (durable-version.h)
//   durable-note      the same of the note
//   all else          RocksDB's
//
// Two keys, "document" and "note".  A value: 8 bytes that name the format, 8 bytes XXH3-64 of all
// that follows, 8 bytes version, the content; numbers little-endian.  The checksum is over the
// value as a whole, on top of RocksDB's per block, so that a value from another place or time is
// noticed too.  The note is written on a thread of its own, so that no swap waits in line after it.
//
// A start reads and checks all that RocksDB needs, before anything is changed: each table as a
// whole, by the checksum that is noted of it; its list of tables; its own log as far as that is
// sound.  Where that ends nobody can tell what a crash has cut off from what has rotted, but by the
// versions that were noted: one that is older than its note is damage.  Whatever else is in the
// directory (RocksDB's LOG, OPTIONS, IDENTITY) is not read, or made anew.
class EmbeddedStore final: public ConfigStore {
public:
  // Opens `directory`, making it if it is missing.  Blocks.  Throws FAILED with a text for the
  // operator that names the directory: in use by another process, not a directory, no permission,
  // no space, damaged.  A directory that is damaged is left as it was.
  explicit EmbeddedStore(kj::StringPtr directory, FileSystem& files = machineFiles());
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
  FileSystem& files;
  std::unique_ptr<File> lock;
  std::unique_ptr<DurableVersion> durableDocument, durableNote;
  std::unique_ptr<rocksdb::DB> db;
  std::uint64_t newest = 0;  // The version last read or written, as far as this thread knows.
  std::atomic<bool> versionUnsynced = false;  // A sync has failed: nothing may be told any more.
  std::uint64_t newestNote = 0;               // On its thread.
  Watchers watchers;
  WorkerThread noteThread;
  WorkerThread
      thread;  // Last, as the one before: their jobs use the database until they have ended.

  std::string file(const char* name) const;
  void prepareDirectory();
  void openVersions();
  void verify();
  void verifyTables();
  void verifyVersion(const DurableVersion& durable, const char* key);
  void open();

  [[noreturn]] void refuse(kj::StringPtr problem) const;
  [[noreturn]] void refuse(const kj::Exception& why) const;
  [[noreturn]] void refuse(const rocksdb::Status& status, kj::StringPtr doing) const;
  [[noreturn]] void refuseDamaged(kj::StringPtr what) const;

  // On a thread.
  Stored read(const char* key) const;
  void write(const char* key, std::uint64_t version, kj::ArrayPtr<const kj::byte> content);
  void noteDocument(std::uint64_t version);
};

}  // namespace gavel::master
