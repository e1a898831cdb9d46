#include "store/rocks-read.h"

#include <stdexcept>
#include <string>

#include <kj/debug.h>

#include "auction/records.h"

namespace gavel {
namespace {

// Decodes what is in the database.  A record that cannot be decoded is damage.
template <class Decode>
auto decodeStored(const RocksDatabase& database, std::string_view key, std::string_view value,
                  Decode decode) {
  try {
    return decode(value);
  } catch (const std::runtime_error& error) {
    database.failDamaged("in the record with " + auction::describeKey(key) + ": " + error.what());
  }
}

}  // namespace

RecordCursor::RecordCursor(const RocksDatabase& database, const rocksdb::Snapshot* snapshot,
                           std::string_view prefix, std::string_view from)
    : database(database), end(stateKey(prefix)) {
  // No key of a record begins with a byte 255, so the last byte can always be counted up.
  end.back() = static_cast<char>(end.back() + 1);
  endSlice = end;
  auto options = scanOptions(snapshot);
  options.iterate_upper_bound = &endSlice;
  options.adaptive_readahead = true;
  iterator.reset(database.db().NewIterator(options));
  iterator->Seek(stateKey(from));
  look();
}

void RecordCursor::next() {
  iterator->Next();
  look();
}

void RecordCursor::look() {
  database.require(iterator->status(), "read its records");
  valid_ = iterator->Valid();
}

Image readImage(const Committed& committed, LogCursor& log, const auction::EndedAuctions& ended) {
  auto& database = *committed.database;
  Image image;
  if (database.readMeta(meta::INSTALLING, committed.snapshot)) {
    // The records of an unfinished snapshot are no state.
    image.state = auction::State(&ended);
    return image;
  }
  image.checkpoint = committed.position;
  try {
    auction::Loader loader;
    // Each kind that is kept in memory by itself: history lies between them, and is most of it all.
    for (const char* kind: {"a", "b", "m", "s"}) {
      for (RecordCursor records(database, committed.snapshot, kind, kind); records.valid();
           records.next()) {
        loader.add(records.key(), records.value());
      }
    }
    image.state = loader.finish(ended);
  } catch (const std::runtime_error& error) {
    database.failDamaged(std::string("in its checkpoint: ") + error.what());
  }
  if (image.state.lastIndex() != image.checkpoint.index) {
    database.failDamaged("its checkpoint of index " + std::to_string(image.checkpoint.index) +
                         " has a state as of index " + std::to_string(image.state.lastIndex()));
  }
  while (auto batch = log.next()) {
    if (batch->lastIndex() <= image.checkpoint.index) continue;
    if (batch->previous() != image.end()) {
      database.failDamaged("the batch at index " + std::to_string(batch->firstIndex()) +
                           " of its log does not follow index " +
                           std::to_string(image.end().index));
    }
    image.log.push_back(std::move(batch));
  }
  return image;
}

std::vector<BatchPtr> readBatches(const SegmentedLog& log, RocksShared& shared, std::uint64_t after,
                                  std::size_t maxBytes) {
  auto cursor = log.seek(after);
  Position start;
  {
    // Read only now: it is set before the log is truncated.
    std::lock_guard<std::mutex> lock(shared.mutex);
    start = shared.logStart;
  }
  if (after < start.index) {
    kj::throwFatalException(
        KJ_EXCEPTION(OVERLOADED, "the log begins later by now", after, start.index));
  }
  std::vector<BatchPtr> found;
  std::size_t bytes = 0;
  while (auto batch = cursor.next()) {
    if (batch->lastIndex() <= after) continue;
    if (found.empty()) {
      KJ_REQUIRE(batch->previous().index == after, "no batch begins after this index", after);
    }
    bytes += batch->bytes().size();
    if (!found.empty() && bytes > maxBytes) break;
    found.push_back(std::move(batch));
  }
  return found;
}

kj::Maybe<Position> readLastWithin(const SegmentedLog& log, RocksShared& shared,
                                   const Position& limit) {
  auto within = [&](const Position& position) {
    return position.epoch <= limit.epoch && position.index <= limit.index;
  };
  auto cursor = log.seek(limit);
  Position last;
  {
    std::lock_guard<std::mutex> lock(shared.mutex);
    last = shared.logStart;
  }
  // Neither epoch nor index decreases from one batch to the next.
  if (!within(last)) return nullptr;
  do {
    if (!within(cursor.position())) break;
    if (cursor.position().index > last.index) last = cursor.position();
  } while (cursor.next() != nullptr);
  return last;
}

std::vector<auction::Version> readHistory(const Committed& committed, auction::AuctionId auction,
                                          std::uint64_t first, std::uint64_t count) {
  auction::VersionsPage page(auction, first, count);
  if (count == 0) return {};
  auto& database = *committed.database;
  for (RecordCursor records(database, committed.snapshot, "h", page.firstKey());
       records.valid() && !page.complete(); records.next()) {
    auto more = decodeStored(database, records.key(), records.value(), [&](std::string_view value) {
      return page.add(records.key(), value);
    });
    if (!more) break;
  }
  KJ_REQUIRE(page.complete(), "a version that is not in the checkpoint", auction,
             first + page.versions().size());
  return kj::mv(page.versions());
}

std::vector<auction::Auction> readAuctions(const Committed& committed, auction::AuctionId after,
                                           std::size_t limit) {
  auto& database = *committed.database;
  // The records of either kind are in the order of their ids.
  auto firstAfter = [&](std::string key) {
    key.push_back('\0');
    return key;
  };
  RecordCursor open(database, committed.snapshot, "a", firstAfter(auction::auctionKey(after)));
  RecordCursor over(database, committed.snapshot, "e", firstAfter(auction::endedKey(after)));
  std::vector<auction::Auction> found;
  while (found.size() < limit && (open.valid() || over.valid())) {
    bool first =
        !over.valid() || (open.valid() && auction::idOf(open.key()) < auction::idOf(over.key()));
    auto& records = first ? open : over;
    found.push_back(decodeStored(database, records.key(), records.value(), auction::decodeAuction));
    records.next();
  }
  return found;
}

std::optional<auction::Auction> RocksEnded::find(std::string_view name) const {
  rocksdb::ReadOptions options;
  rocksdb::PinnableSlice value;
  auto get = [&](const std::string& key) {
    value.Reset();
    auto status =
        database.db().Get(options, database.db().DefaultColumnFamily(), stateKey(key), &value);
    if (status.IsNotFound()) return false;
    database.require(status, "look up an auction");
    return true;
  };
  auto named = auction::nameKey(name);
  if (!get(named)) return std::nullopt;
  auto key = auction::endedKey(decodeStored(database, named, viewOf(value), auction::decodeName));
  if (!get(key)) return std::nullopt;
  return decodeStored(database, key, viewOf(value), auction::decodeAuction);
}

}  // namespace gavel
