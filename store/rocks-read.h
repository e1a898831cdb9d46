#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "log/segmented-log.h"
#include "store/rocks-committed.h"
#include "store/store.h"

// What a store reads.  All of it blocks, and belongs on a thread for that.
namespace gavel {

// Reads a checkpoint and the log after it, from `log`.  Both are as of the same time.
Image readImage(const Committed& committed, LogCursor& log, const auction::EndedAuctions& ended);

// These do what the methods of Store say.
std::vector<BatchPtr> readBatches(const SegmentedLog& log, RocksShared& shared, std::uint64_t after,
                                  std::size_t maxBytes);
kj::Maybe<Position> readLastWithin(const SegmentedLog& log, RocksShared& shared,
                                   const Position& limit);
std::vector<auction::Version> readHistory(const Committed& committed, auction::AuctionId auction,
                                          std::uint64_t first, std::uint64_t count);
std::vector<auction::Auction> readAuctions(const Committed& committed, auction::AuctionId after,
                                           std::size_t limit);

// Throws std::runtime_error unless the records in the database are exactly those of a sound state
// after the entry `index`, with those that are not kept in memory.
void auditRecords(const RocksDatabase& database, const auction::EndedAuctions& ended,
                  std::uint64_t index);

// Looks auctions up in the database as it is now.
class RocksEnded final: public auction::EndedAuctions {
public:
  explicit RocksEnded(const RocksDatabase& database): database(database) {}
  std::optional<auction::Auction> find(std::string_view name) const override;

private:
  const RocksDatabase& database;
};

// Reads records of state, in the order of their keys.
class RecordCursor {
public:
  // Begins at the first record whose key is not below `from`, and ends with the last whose key
  // begins with `prefix`.
  RecordCursor(const RocksDatabase& database, const rocksdb::Snapshot* snapshot,
               std::string_view prefix, std::string_view from);
  explicit RecordCursor(const RocksDatabase& database, const rocksdb::Snapshot* snapshot = nullptr)
      : RecordCursor(database, snapshot, "", "") {}
  KJ_DISALLOW_COPY(RecordCursor);

  bool valid() const { return valid_; }
  void next();
  std::string_view key() const { return viewOf(iterator->key()).substr(1); }
  std::string_view value() const { return viewOf(iterator->value()); }

private:
  const RocksDatabase& database;
  std::string end;
  rocksdb::Slice endSlice;
  std::unique_ptr<rocksdb::Iterator> iterator;
  bool valid_ = false;

  void look();
};

}  // namespace gavel
