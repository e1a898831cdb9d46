#include "store/rocks-database.h"

#include <cstring>
#include <xxhash.h>

#include <kj/debug.h>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "base/logging.h"
#include "base/rocks-log.h"

namespace gavel {
namespace {

constexpr std::size_t CACHE_BYTES = 64 << 20;
constexpr int CACHE_SHARD_BITS = 2;  // Few threads use it.
// From this size on a record is kept outside of the tables.
constexpr std::uint64_t LARGE_RECORD_BYTES = 1024;
constexpr double FILTER_BITS_PER_KEY = 10;

rocksdb::Options optionsFor(bool create, std::size_t writeBufferBytes) {
  rocksdb::Options options;
  options.create_if_missing = create;
  options.error_if_exists = create;
  // What follows a damaged record is dropped, since a crash usually leaves such a record
  // half-written.  The marker tells the two apart (durable-marker.h).
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // What was read of RocksDB's log may be in the page cache only.  It goes into new tables, synced,
  // before it counts (R2).
  options.avoid_flush_during_recovery = false;
  options.paranoid_checks = true;
  options.write_buffer_size = 2 * writeBufferBytes;
  options.max_write_buffer_number = 3;  // A flush under way is no reason to wait.
  // With many auctions each merge writes the next level anew.  With four files at a time it wrote
  // half as much again for a bid (1,000,000 auctions in turn: 1.2 times the bids).
  options.level0_file_num_compaction_trigger = 8;
  options.max_open_files = 256;
  options.max_background_jobs = 2;
  options.info_log = std::make_shared<RocksLog>();
  // Little is left to write when it is synced.
  options.wal_bytes_per_sync = 1 << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // What the first two levels hold is merged again soon.  Compressing it there took 8 % of a node's
  // CPU time under bids in bulk.
  options.compression = rocksdb::kLZ4Compression;
  options.compression_per_level = {rocksdb::kNoCompression, rocksdb::kNoCompression,
                                   rocksdb::kLZ4Compression};
  // Long parts of histories never change again, and are not written anew in each merge.  That took
  // an eighth of the CPU time under bids in bulk, and all nodes do it at the same time.
  options.enable_blob_files = true;
  options.min_blob_size = LARGE_RECORD_BYTES;
  options.blob_compression_type = rocksdb::kLZ4Compression;
  options.enable_blob_garbage_collection = true;
  options.blob_garbage_collection_force_threshold = 0.5;
  // Closing an iterator is no time for deleting files, since the event loop does it as well.
  options.avoid_unnecessary_blocking_io = true;

  // Most look-ups are of names that nobody has used, on the event loop.  Filters answer them
  // without reading a block.
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.memtable_whole_key_filtering = true;
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(FILTER_BITS_PER_KEY));
  // All that is in memory of tables is in this cache, so that it is bounded.  Filters and indexes
  // are in small parts: those of names stay, while those of history come and go.  A whole one might
  // be too large for a shard, and be read again for each look-up.
  table.block_cache = rocksdb::NewLRUCache(CACHE_BYTES, CACHE_SHARD_BITS, false, 0.5);
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_top_level_index_and_filter = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

std::uint64_t checksumOf(std::string_view key, std::string_view value) {
  return XXH3_64bits_withSeed(value.data(), value.size(), XXH3_64bits(key.data(), key.size()));
}

// A file that the database has lost is as bad as one with other contents.
bool meansDamage(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsPathNotFound() ||
         (status.IsInvalidArgument() &&
          status.ToString().find("does not exist") != std::string::npos);
}

}  // namespace

// Flushes and compactions happen on threads of RocksDB's own.  After an error RocksDB would only go
// on reading.
class RocksDatabase::Listener final: public rocksdb::EventListener {
public:
  explicit Listener(const RocksDatabase& database): database(database) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    if (!database.running) return;
    bool flush = reason == rocksdb::BackgroundErrorReason::kFlush;
    bool compaction = reason == rocksdb::BackgroundErrorReason::kCompaction;
    database.fail(*error, flush ? "write a table" : compaction ? "merge tables" : "write");
  }

private:
  const RocksDatabase& database;
};

std::string stateKey(std::string_view key) {
  std::string result;
  result.reserve(1 + key.size());
  result.push_back(STATE_PREFIX);
  result.append(key);
  return result;
}

std::string encodeNumber(std::uint64_t number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

std::string encodePosition(const Position& position) {
  return encodeNumber(position.epoch) + encodeNumber(position.index) +
         encodeNumber(position.checksum);
}

RocksDatabase::~RocksDatabase() {
  close();
}

void RocksDatabase::open(const std::string& path, bool create, std::size_t writeBufferBytes) {
  auto options = optionsFor(create, writeBufferBytes);
  if (auto* environment = directory.files().environment()) options.env = environment;
  options.listeners.push_back(std::make_shared<Listener>(*this));
  rocksdb::DB* opened = nullptr;
  auto status = rocksdb::DB::Open(options, path, &opened);
  if (!status.ok()) fail(status, "open its database");
  db_.reset(opened);
  this->writeBufferBytes = writeBufferBytes;
}

bool RocksDatabase::tableIsFull() const {
  std::uint64_t bytes = 0;
  db_->GetIntProperty(rocksdb::DB::Properties::kCurSizeActiveMemTable, &bytes);
  return bytes >= writeBufferBytes;
}

void RocksDatabase::beginTable() {
  rocksdb::FlushOptions options;
  options.wait = false;
  options.allow_write_stall = true;
  require(db_->Flush(options), "write a table");
}

void RocksDatabase::close() {
  db_ = nullptr;
}

void RocksDatabase::fail(const rocksdb::Status& status, kj::StringPtr doing) const {
  auto why = status.ToString();
  if (meansDamage(status)) failDamaged(kj::str("cannot ", doing, ": ", why.c_str()).cStr());
  if (!running && !status.IsNoSpace()) {
    directory.refuse("cannot be opened: give one that is writable, and empty or made by gavel-node",
                     why);
  }
  fail(status.IsNoSpace(), why, doing);
}

void RocksDatabase::fail(const kj::Exception& exception, kj::StringPtr doing) const {
  bool full = exception.getType() == kj::Exception::Type::OVERLOADED;
  fail(full, exception.getDescription().cStr(), doing);
}

// What the disk now holds is unknown.  A second try may succeed without having written what the
// first one lost.
void RocksDatabase::fail(bool full, const std::string& why, kj::StringPtr doing) const {
  if (writing) directory.noteFailure(kj::str("failed to ", doing, ": ", why.c_str()).cStr());
  if (!running && full) directory.refuse("has no space left: start again when there is room", why);
  if (!running) directory.refuse(kj::str("failed to ", doing), why);
  if (full) {
    die("no space left for the data directory: leaving the chain; start again when there is room",
        {{"directory", directory.path()}, {"doing", doing}, {"error", why}});
  }
  die("the data directory failed: leaving the chain",
      {{"directory", directory.path()}, {"doing", doing}, {"error", why}});
}

void RocksDatabase::failDamaged(const std::string& what) const {
  directory.noteDamage(what);
  if (!running) directory.refuseDamaged();
  die("the data directory is damaged: leaving the chain; start again with --replace-damaged to set "
      "it aside and join as a new, empty node",
      {{"directory", directory.path()}, {"damage", what}});
}

std::optional<std::string> RocksDatabase::readMeta(const char* key,
                                                   const rocksdb::Snapshot* snapshot) const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  std::string sealed;
  auto status = db_->Get(options, key, &sealed);
  if (status.IsNotFound()) return std::nullopt;
  std::string name = key + 1;
  if (!status.ok()) fail(status, kj::str("read its ", name.c_str()));
  std::uint64_t checksum = 0;
  if (sealed.size() < sizeof(checksum)) failDamaged("its " + name + " is cut short");
  std::memcpy(&checksum, sealed.data(), sizeof(checksum));
  auto value = sealed.substr(sizeof(checksum));
  if (checksum != checksumOf(key, value)) failDamaged("its " + name + " has a wrong checksum");
  return value;
}

void RocksDatabase::putMeta(rocksdb::WriteBatch& batch, const char* key, std::string_view value) {
  auto sealed = encodeNumber(checksumOf(key, value));
  sealed.append(value);
  auto status = batch.Put(key, sealed);
  KJ_ASSERT(status.ok(), key, status.ToString().c_str());
}

std::uint64_t RocksDatabase::readNumber(const char* key) const {
  auto value = readMeta(key);
  if (!value) return 0;
  std::uint64_t number = 0;
  if (value->size() != sizeof(number)) failDamaged(std::string("a wrong size of its ") + (key + 1));
  std::memcpy(&number, value->data(), sizeof(number));
  return number;
}

Position RocksDatabase::readPosition(const char* key, const rocksdb::Snapshot* snapshot) const {
  auto value = readMeta(key, snapshot);
  if (!value) return {};
  std::uint64_t words[3];
  if (value->size() != sizeof(words)) failDamaged(std::string("a wrong size of its ") + (key + 1));
  std::memcpy(words, value->data(), sizeof(words));
  return {words[0], words[1], words[2]};
}

rocksdb::ReadOptions scanOptions(const rocksdb::Snapshot* snapshot) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  options.verify_checksums = true;
  options.fill_cache = false;  // Read once, it would only push out what is wanted again.
  options.background_purge_on_iterator_cleanup = true;
  return options;
}

}  // namespace gavel
