#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <kj/common.h>
#include <kj/string.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include "log/log-faults.h"
#include "log/position.h"
#include "store/data-directory.h"

namespace gavel {

// Keys of the database.  All are in one column family, so that any of them can change in one write:
//
//   format     the version of the format (R14), as decimal text, without a checksum of ours
//   'm' NAME   a value of `meta`: 8 bytes of checksum, then the value.  The checksum is XXH3-64 of
//              the value, seeded with XXH3-64 of the key, 'm' included.
//   's' KEY    a record of committed state; KEY and value are those of auction/records.h
//
// RocksDB has checksums of its own over all that.  Those of `meta` find what its caches, or
// a bug, change.
//
// Integers in `meta` have 8 bytes, as the machine has them in memory: for little-endian machines
// only.  Ids and versions in KEY are big-endian, so that keys sort by them, and so is the id in a
// name's record.
constexpr char FORMAT_KEY[] = "format";
constexpr char STATE_PREFIX = 's';
constexpr char STATE_BEGIN[] = "s";
constexpr char STATE_END[] = "t";

// A key that is absent means none, 0 or no.
//
//   STORE_ID        a random number, made with the directory
//   GENERATION      starts so far (R11)
//   CONFIGURATION   message schema Configuration, in flat stream framing: the last one adopted
//   PROMISE         epoch, reign: the RebuildPromise that was given last
//   CHECKPOINT      epoch, index, checksum: the position that the records of state are as of
//   INSTALLING      empty; present while the records are an unfinished snapshot
//   UNSYNCED        a generation; present while a process runs with --sync=never
namespace meta {
constexpr char STORE_ID[] = "mstore-id";
constexpr char GENERATION[] = "mgeneration";
constexpr char CONFIGURATION[] = "mconfiguration";
constexpr char PROMISE[] = "mpromise";
constexpr char CHECKPOINT[] = "mcheckpoint";
constexpr char INSTALLING[] = "minstalling";
constexpr char UNSYNCED[] = "munsynced";
}  // namespace meta

std::string stateKey(std::string_view key);

inline rocksdb::Slice sliceOf(std::string_view text) {
  return {text.data(), text.size()};
}
inline rocksdb::Slice sliceOf(kj::ArrayPtr<const kj::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}
inline std::string_view viewOf(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}
inline kj::ArrayPtr<const kj::byte> bytesOf(const rocksdb::Slice& slice) {
  return {reinterpret_cast<const kj::byte*>(slice.data()), slice.size()};
}

std::string encodePosition(const Position& position);
std::string encodeNumber(std::uint64_t number);

// The database in a data directory, and what happens to this process when it fails.  Used from
// several threads.
class RocksDatabase final: public LogFaults {
public:
  explicit RocksDatabase(kj::StringPtr path, FileSystem& files = machineFiles())
      : directory(path, files) {}
  ~RocksDatabase();
  KJ_DISALLOW_COPY(RocksDatabase);

  DataDirectory directory;

  // Opens the database at `path`.  Throws FAILED with a text for the operator.
  //
  // What RocksDB's own log held is then in tables, which are new and synced (R2).
  void open(const std::string& path, bool create, std::size_t writeBufferBytes);
  void close();
  // tableIsFull() says whether enough has gathered to be written into a table.  beginTable() begins
  // a new log of RocksDB's own, and has the table written in the background.
  //
  // RocksDB must not begin a new log by itself, and has twice the room, so that it does not.  What
  // is in the older log has to be durable before.  Otherwise, after a loss of power, RocksDB would
  // go on with what there is of the newer log though a part of the older one is missing, and would
  // not know.
  bool tableIsFull() const;
  void beginTable();
  rocksdb::DB& db() const { return *db_; }

  // From now on a write or sync that fails is noted in the directory (R2).
  void startWriting() { writing = true; }
  // From now on a failure ends the process rather than throwing FAILED.
  void startRunning() { running = true; }

  // -- failing (R12)

  // Does nothing if `status` is OK.
  void require(const rocksdb::Status& status, kj::StringPtr doing) const {
    if (!status.ok()) fail(status, doing);
  }
  [[noreturn]] void fail(const rocksdb::Status& status, kj::StringPtr doing) const;
  // A file of the directory failed, not the database.  The exception is OVERLOADED if there
  // is no room.
  [[noreturn]] void fail(const kj::Exception& exception, kj::StringPtr doing) const override;
  // What was read cannot be what was written.  The directory remembers that.
  [[noreturn]] void failDamaged(const std::string& what) const override;

  // -- reading

  // Reads the value of one of the keys in `meta`; null if there is none.
  std::optional<std::string> readMeta(const char* key,
                                      const rocksdb::Snapshot* snapshot = nullptr) const;
  std::uint64_t readNumber(const char* key) const;  // 0 if there is none.
  Position readPosition(const char* key, const rocksdb::Snapshot* snapshot = nullptr) const;

  // -- writing

  static void putMeta(rocksdb::WriteBatch& batch, const char* key, std::string_view value);

private:
  class Listener;

  std::unique_ptr<rocksdb::DB> db_;
  std::size_t writeBufferBytes = 0;
  bool writing = false;
  bool running = false;

  [[noreturn]] void fail(bool full, const std::string& why, kj::StringPtr doing) const;
};

// Options for reading a range of keys once, in order.
rocksdb::ReadOptions scanOptions(const rocksdb::Snapshot* snapshot);

}  // namespace gavel
