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

// Keys of the database, all in one column family so that any of them can change in one write:
//
//   format             the format version, as decimal text; so in every format
//   'm' name           what else there is to know (meta), behind 8 bytes XXH3-64 of key and value
//   's' key            a record of committed state (auction/records.h)
//
// RocksDB has checksums of its own on all that; those above find what its caches, or a bug, change.
constexpr char FORMAT_KEY[] = "format";
constexpr char STATE_PREFIX = 's';
constexpr char STATE_BEGIN[] = "s";
constexpr char STATE_END[] = "t";

namespace meta {
constexpr char STORE_ID[] = "mstore-id";            // 8 bytes, like all integers little-endian
constexpr char GENERATION[] = "mgeneration";        // 8 bytes
constexpr char CONFIGURATION[] = "mconfiguration";  // schema Configuration, flat stream framing
constexpr char PROMISE[] = "mpromise";  // a RebuildPromise: epoch, reign; absent if none was given
constexpr char CHECKPOINT[] = "mcheckpoint";  // a Position: epoch, index, checksum
constexpr char INSTALLING[] = "minstalling";  // there while state is what came of a snapshot so far
constexpr char UNSYNCED[] = "munsynced";      // there while a process runs with --sync=never
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

// The database in a data directory, and what becomes of this process when it fails.
//
// Used from several threads.
class RocksDatabase final: public LogFaults {
public:
  explicit RocksDatabase(kj::StringPtr path, FileSystem& files = machineFiles())
      : directory(path, files) {}
  ~RocksDatabase();
  KJ_DISALLOW_COPY(RocksDatabase);

  DataDirectory directory;

  // Opens the database at `path`.  Throws FAILED with a text for the operator.
  //
  // What its own log held is in tables then, which are written anew and synced (R2).
  void open(const std::string& path, bool create, std::size_t writeBufferBytes);
  void close();
  // Whether so much has been gathered that it should be written into a table; and does so by and
  // by, with a new log of RocksDB's own for what comes next.
  //
  // RocksDB must not come to that by itself, for which it has twice the room: what is in the older
  // log has to be durable before.  Else, after a loss of power, it would go on with what there is
  // of the newer log though a part of the older one is missing, without knowing.
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
  // A file of the directory failed, not the database; OVERLOADED if there is no room.
  [[noreturn]] void fail(const kj::Exception& exception, kj::StringPtr doing) const override;
  // What was read cannot be what was written.  Remembered in the directory.
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
