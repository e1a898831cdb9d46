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

// The document on this machine's disk, in a RocksDB database that a thread of its own uses.  Every
// swap is fsynced before it resolves.  One master uses it, as a process locks the directory.
//
// The directory:
//
//   lock              is locked for as long as a process uses the directory
//   durable-document  the newest version of the document that is durable (durable-version.h)
//   durable-note      the newest version of the note that is durable
//   all else          RocksDB's
//
// The database has two keys, "document" and "note".  A value is 8 bytes that name the format, 8
// bytes XXH3-64 of all that follows, 8 bytes version, and the content; numbers are little-endian.
// The checksum is over the value as a whole.  RocksDB has one per block as well, but only this one
// shows a value from another place or time.  The note is written on a second thread, so that no
// swap waits in line after it.
//
// A start reads and checks all that RocksDB needs before it changes anything: each table as a
// whole, by the checksum that is noted of it; the list of tables; RocksDB's own log, as far as that
// is sound.  Where the log ends, only the noted versions show whether a crash has cut it off or it
// has rotted: a version that is older than its note means damage.  Whatever else is in the
// directory (RocksDB's LOG, OPTIONS, IDENTITY) is either not read or made anew.
class EmbeddedStore final: public ConfigStore {
public:
  // Opens `directory`, and makes it if it is missing.  Blocks.  Throws FAILED if the directory is
  // in use by another process, is not a directory, is damaged, or if permission or space is
  // missing.  The text is for the operator and names the directory.  A damaged directory is left as
  // it was.
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
  std::uint64_t newest = 0;  // The version last read or written, as the event loop knows.
  std::atomic<bool> versionUnsynced = false;  // A sync has failed: nothing may be reported.
  std::uint64_t newestNote = 0;               // Used by noteThread.
  Watchers watchers;
  // The threads are last: their jobs use the database until they have ended.
  WorkerThread noteThread;
  WorkerThread thread;

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

  // These run on one of the two threads.
  Stored read(const char* key) const;
  void write(const char* key, std::uint64_t version, kj::ArrayPtr<const kj::byte> content);
  void noteDocument(std::uint64_t version);
};

}  // namespace gavel::master
