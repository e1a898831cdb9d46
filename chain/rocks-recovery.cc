#include "chain/rocks-recovery.h"

#include <cstring>
#include <filesystem>

#include <capnp/serialize.h>
#include <kj/debug.h>
#include <rocksdb/write_batch.h>

#include "base/logging.h"

namespace gavel::chain {
namespace {

// How many points of a log that is found are looked up, so that it can be truncated in steps.
constexpr unsigned WINDOW_STEPS = 16;

rocksdb::WriteOptions synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

// Format 1 had its database elsewhere: see DataDirectory.
constexpr unsigned OLDEST_IN_DATABASE = 2;

// Makes an empty database in its place, or none at all.
void format(RocksDatabase& database, std::uint64_t storeId) {
  auto& directory = database.directory;
  std::error_code error;
  std::filesystem::remove_all(directory.unfinishedDb(), error);
  if (!error) std::filesystem::create_directory(directory.unfinishedDb(), error);
  if (error) directory.refuse("cannot be formatted", error.message());
  database.open(directory.unfinishedDb(), true);
  rocksdb::WriteBatch batch;
  KJ_ASSERT(batch.Put(FORMAT_KEY, std::to_string(DATA_FORMAT)).ok());
  RocksDatabase::putMeta(batch, meta::STORE_ID, encodeNumber(storeId));
  database.require(database.db().Write(synced(), &batch), "format it");
  database.close();
  std::filesystem::rename(directory.unfinishedDb(), directory.db(), error);
  if (error) directory.refuse("cannot be formatted", error.message());
  directory.sync();
}

// Formats a directory that has no database, unless it had one once.
void formatIfNew(RocksDatabase& database, MarkerFile& markerFile, Random& random) {
  if (DataDirectory::exists(database.directory.db())) return;
  DurableMarker marker;
  KJ_IF_MAYBE (known, markerFile.recovered()) {
    marker = *known;
  } else if (markerFile.unreadable()) {
    database.failDamaged("db is missing, and durable is unreadable");
  }
  if (marker.generation != 0) {
    database.failDamaged("db is missing, which was there when durable was written");
  }
  if (marker.storeId == 0) marker.storeId = random.id();
  // First the marker, so that a database without one has lost it.
  markerFile.write(marker);
  markerFile.sync();
  format(database, marker.storeId);
}

void checkFormat(const RocksDatabase& database) {
  std::string text;
  auto status = database.db().Get(rocksdb::ReadOptions(), FORMAT_KEY, &text);
  if (status.IsNotFound()) database.failDamaged("it does not say which format it has");
  database.require(status, "read its format");
  if (text == std::to_string(DATA_FORMAT)) return;
  bool number = !text.empty() && text.size() < 10 &&
                text.find_first_not_of("0123456789") == std::string::npos;
  if (!number || std::stoul(text) < OLDEST_IN_DATABASE) {
    database.failDamaged("its format is '" + text + "', which never was one");
  }
  if (std::stoul(text) < DATA_FORMAT) {
    database.directory.refuse(
        kj::str("has format ", text.c_str(),
                ", made by an older version; this version of gavel-node knows only format ",
                DATA_FORMAT,
                ": start with an empty directory and let the node join the chain, or use the older "
                "one"),
        FORMAT_KEY);
  }
  database.directory.refuse(
      kj::str("has format ", text.c_str(),
              ", made by a newer version; this version of gavel-node knows only format ",
              DATA_FORMAT, ": use the newer one, or start with an empty directory"),
      FORMAT_KEY);
}

Configuration readConfiguration(const RocksDatabase& database) {
  auto value = database.readMeta(meta::CONFIGURATION);
  if (!value) return {};
  Configuration configuration;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 KJ_REQUIRE(value->size() % sizeof(capnp::word) == 0, "an impossible size",
                            value->size());
                 auto words = kj::heapArray<capnp::word>(value->size() / sizeof(capnp::word));
                 std::memcpy(words.begin(), value->data(), value->size());
                 capnp::FlatArrayMessageReader reader(words);
                 configuration = Configuration::read(reader.getRoot<schema::Configuration>());
               })) {
    database.failDamaged(kj::str("in its configuration: ", exception->getDescription()).cStr());
  }
  return configuration;
}

struct LastCut {
  std::uint64_t count = 0;
  Position end;
};

LastCut readCut(const RocksDatabase& database) {
  auto value = database.readMeta(meta::CUT);
  if (!value) return {};
  std::uint64_t words[4];
  if (value->size() != sizeof(words)) database.failDamaged("a wrong size of its cut");
  std::memcpy(words, value->data(), sizeof(words));
  return {words[0], {words[1], words[2], words[3]}};
}

std::unique_ptr<rocksdb::Iterator> logIterator(const RocksDatabase& database) {
  return std::unique_ptr<rocksdb::Iterator>(database.db().NewIterator(scanOptions(nullptr)));
}

// The batch under the iterator; null if it is outside of the log.
BatchPtr batchAt(const RocksDatabase& database, rocksdb::Iterator& iterator) {
  database.require(iterator.status(), "read its log");
  if (!iterator.Valid() || !iterator.key().starts_with(LOG_BEGIN)) return nullptr;
  return database.parseBatch(iterator.value());
}

// Takes the measure of the log that is there.
void measureLog(const RocksDatabase& database, LogWindow& window) {
  auto start = database.readPosition(meta::LOG_START);
  window.reset(start);
  auto iterator = logIterator(database);
  iterator->Seek(logKey(start.index + 1));
  auto first = batchAt(database, *iterator);
  if (first == nullptr) return;
  if (first->previous() != start) {
    database.failDamaged("its log begins at index " + std::to_string(first->firstIndex()) +
                         ", but should follow index " + std::to_string(start.index));
  }
  iterator->SeekForPrev(LOG_END);
  auto end = batchAt(database, *iterator)->end();
  if (end.index <= start.index) database.failDamaged("its log ends before it begins");

  rocksdb::Range range(LOG_BEGIN, LOG_END);
  std::uint64_t bytes = 0;
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  options.include_files = true;
  database.require(database.db().GetApproximateSizes(options, database.db().DefaultColumnFamily(),
                                                     &range, 1, &bytes),
                   "measure its log");
  auto last = start;
  for (unsigned i = 1; i <= WINDOW_STEPS; ++i) {
    auto index = start.index + (end.index - start.index) / WINDOW_STEPS * i;
    auto at = i == WINDOW_STEPS ? end : last;
    iterator->SeekForPrev(logKey(index));
    if (auto batch = batchAt(database, *iterator); batch != nullptr && i < WINDOW_STEPS) {
      at = batch->end();
    }
    if (at.index <= last.index) continue;
    window.grow(at, static_cast<std::uint64_t>(static_cast<double>(bytes) *
                                               static_cast<double>(at.index - last.index) /
                                               static_cast<double>(end.index - start.index)));
    last = at;
  }
}

std::string describe(const Position& position) {
  return "index " + std::to_string(position.index) + " (epoch " + std::to_string(position.epoch) +
         ", checksum " + std::to_string(position.checksum) + ")";
}

// Compares what was recovered with what was durable at least.  Returns what is missing, as text;
// `opened.marker.end` is then what the log has to grow to.
std::string missing(Opened& opened, const LastCut& cut) {
  auto& database = *opened.database;
  auto& end = opened.window.end();
  auto& marker = opened.marker;
  auto path = database.directory.marker();
  auto atPath = std::string(database.directory.path().cStr());

  DurableMarker known;
  KJ_IF_MAYBE (recovered, opened.markerFile->recovered()) {
    known = *recovered;
  }
  marker.end = end;
  if (known.generation == 0 && opened.recovered.generation > 1) {
    return path + (opened.markerFile->made() ? " is missing" : " is unreadable") +
           ", so that nobody knows how much of the log was durable";
  }
  if (known.generation != 0 && known.storeId != opened.recovered.storeId) {
    return path + " belongs to another store, so that nobody knows how much of the log was durable";
  }
  if (opened.markerFile->unreadable()) {
    logWarning("one of the two records of what is durable was unreadable: using the other",
               {{"file", path}});
  }

  // A cut that the marker does not know of was durable when it was made.
  auto bound = cut.count > known.cuts ? cut.end : known.end;
  if (end.index < bound.index) {
    marker.end = bound;
    return "its log ends at " + describe(end) + ", though it was durable up to " + describe(bound) +
           ": " + std::to_string(bound.index - end.index) +
           " entries are lost, from a damaged *.log file in " + atPath + "/db";
  }
  if (auto found = positionAt(database, opened.window.start(), bound.index);
      bound.index >= opened.window.start().index && found != bound) {
    marker.end = bound;
    return "its log is another one at index " + std::to_string(bound.index) + ": " +
           (found ? describe(*found) : "no batch ends there") + ", though durable was " +
           describe(bound);
  }
  if (auto sequence = database.db().GetLatestSequenceNumber(); sequence < known.sequence) {
    return "the last " + std::to_string(known.sequence - sequence) +
           " writes are lost, though they were durable, from a damaged *.log file in " + atPath +
           "/db; its log reaches to " + describe(end) + " nevertheless";
  }
  // What was lost in an earlier start has come again once the log has grown past where it was then.
  if (known.damaged && end.index <= bound.index) {
    return "it has lost something that was durable before an earlier start, and has taken in "
           "nothing "
           "from the chain since";
  }
  return "";
}

// Nothing of an unfinished snapshot is of use.
void clearUnfinished(Opened& opened) {
  rocksdb::WriteBatch batch;
  auto status = batch.DeleteRange(STATE_BEGIN, STATE_END);
  if (status.ok()) status = batch.DeleteRange(LOG_BEGIN, LOG_END);
  if (status.ok()) status = opened.database->db().Write(synced(), &batch);
  opened.database->require(status, "drop an unfinished snapshot");
}

Opened tryOpen(kj::StringPtr path, bool replaceDamaged, bool unsynced, const LogWindow& window,
               Random& random) {
  auto owned = std::make_unique<RocksDatabase>(path);
  auto& database = *owned;
  if (replaceDamaged) {
    KJ_IF_MAYBE (reason, database.directory.damage()) {
      logWarning(
          "set aside what was damaged, to begin anew as an empty node",
          {{"directory", path}, {"where", database.directory.setAside()}, {"damage", *reason}});
    }
  }
  database.directory.refuseDamaged();

  std::unique_ptr<MarkerFile> markerFile;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 markerFile = std::make_unique<MarkerFile>(database.directory.marker());
               })) {
    database.fail(*exception, "open the record of what is durable");
  }
  formatIfNew(database, *markerFile, random);
  database.open(database.directory.db(), false);
  checkFormat(database);

  Opened opened{std::move(owned), std::move(markerFile), {}, {}, {}, window};
  auto& recovered = opened.recovered;
  recovered.storeId = database.readNumber(meta::STORE_ID);
  if (recovered.storeId == 0) database.failDamaged("it has no store id");
  recovered.configuration = readConfiguration(database);
  auto generation = database.readNumber(meta::GENERATION);
  KJ_IF_MAYBE (known, opened.markerFile->recovered()) {
    if (known->storeId == recovered.storeId) generation = std::max(generation, known->generation);
  }
  recovered.generation = generation + 1;
  auto cut = readCut(database);
  opened.cuts = cut.count;

  opened.installing = database.readMeta(meta::INSTALLING).has_value();
  if (opened.installing) {
    clearUnfinished(opened);
    opened.window.reset({});
    recovered.damage =
        "a snapshot that it was taking in, from another node or from a backup, is incomplete";
    opened.marker.damaged = true;
  } else {
    opened.checkpoint = database.readPosition(meta::CHECKPOINT);
    measureLog(database, opened.window);
    auto start = opened.window.start().index, end = opened.window.end().index;
    if (opened.checkpoint.index < start || opened.checkpoint.index > end) {
      database.failDamaged("its checkpoint is at index " + std::to_string(opened.checkpoint.index) +
                           ", outside of its log from " + std::to_string(start) + " to " +
                           std::to_string(end));
    }
    recovered.damage = missing(opened, cut);
    // A process that goes on like that says so for as long as it runs (Recovered::unsynced).
    if (recovered.damage.empty() && !unsynced && database.readMeta(meta::UNSYNCED).has_value()) {
      recovered.damage =
          "it was run with --sync=never and did not end in order, so that nobody knows what it has "
          "lost";
    }
    opened.marker.damaged = !recovered.damage.empty();
  }
  recovered.empty = opened.window.end() == Position() && opened.checkpoint == Position();
  if (!recovered.damage.empty()) {
    logError("the data directory has lost something: this node is no source for others",
             {{"directory", path}, {"damage", recovered.damage}});
  }

  // What RocksDB has replayed of its log is in tables by now, and synced; with this so is the rest.
  rocksdb::WriteBatch batch;
  RocksDatabase::putMeta(batch, meta::GENERATION, encodeNumber(recovered.generation));
  if (unsynced) {
    RocksDatabase::putMeta(batch, meta::UNSYNCED, encodeNumber(recovered.generation));
  } else if (database.readMeta(meta::UNSYNCED).has_value()) {
    KJ_ASSERT(batch.Delete(meta::UNSYNCED).ok());
  }
  database.require(database.db().Write(synced(), &batch), "count its starts");
  opened.marker.storeId = recovered.storeId;
  opened.marker.generation = recovered.generation;
  opened.marker.sequence = database.db().GetLatestSequenceNumber();
  opened.marker.cuts = opened.cuts;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 opened.markerFile->write(opened.marker);
                 opened.markerFile->sync();
                 database.directory.sync();
               })) {
    database.fail(*exception, "write the record of what is durable");
  }
  database.startRunning();
  return opened;
}

}  // namespace

std::optional<Position> positionAt(const RocksDatabase& database, const Position& start,
                                   std::uint64_t index) {
  if (index == start.index) return start;
  auto iterator = logIterator(database);
  iterator->SeekForPrev(logKey(index));
  auto batch = batchAt(database, *iterator);
  if (batch == nullptr || batch->lastIndex() != index) return std::nullopt;
  return batch->end();
}

Opened openDataDirectory(kj::StringPtr path, bool replaceDamaged, bool unsynced,
                         const LogWindow& window, Random& random) {
  kj::Maybe<kj::Exception> refused;
  kj::Maybe<Opened> opened;
  refused = kj::runCatchingExceptions(
      [&]() { opened = tryOpen(path, replaceDamaged, unsynced, window, random); });
  KJ_IF_MAYBE (exception, refused) {
    bool damaged = replaceDamaged && DataDirectory::exists(std::string(path.cStr()) + "/damaged");
    if (!damaged) kj::throwFatalException(kj::mv(*exception));
    // It was found only now.
    return tryOpen(path, replaceDamaged, unsynced, window, random);
  }
  return kj::mv(KJ_ASSERT_NONNULL(opened));
}

}  // namespace gavel::chain
