#include "chain/rocks-recovery.h"

#include <cstring>
#include <filesystem>

#include <capnp/serialize.h>
#include <kj/debug.h>
#include <rocksdb/write_batch.h>

#include "base/logging.h"

namespace gavel::chain {
namespace {

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

std::string describe(const Position& position) {
  return "index " + std::to_string(position.index) + " (epoch " + std::to_string(position.epoch) +
         ", checksum " + std::to_string(position.checksum) + ")";
}

// Compares what was recovered with what was durable at least.  Returns what is missing, as text;
// `opened.marker.end` is then what the log has to grow to.
std::string missing(Opened& opened) {
  auto& database = *opened.database;
  auto& log = *opened.log;
  auto& end = opened.window.end();
  auto& marker = opened.marker;
  auto path = database.directory.marker();

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
  auto bound = log.cuts() > known.cuts ? log.lastCut() : known.end;
  if (log.cuts() < known.cuts) {
    marker.end = bound;
    return "its log has been cut " + std::to_string(log.cuts()) + " times, though the cut number " +
           std::to_string(known.cuts) + " was durable: a file in " + database.directory.log() +
           " is damaged or missing";
  }
  if (end.index < bound.index) {
    marker.end = bound;
    return "its log ends at " + describe(end) + ", though it was durable up to " + describe(bound) +
           ": " + std::to_string(bound.index - end.index) + " entries are lost; " +
           log.describeEnd();
  }
  if (auto found = log.positionAt(bound.index);
      bound.index >= opened.window.start().index && found != bound) {
    marker.end = bound;
    return "its log is another one at index " + std::to_string(bound.index) + ": " +
           (found ? describe(*found) : "no batch ends there") + ", though durable was " +
           describe(bound);
  }
  if (auto sequence = database.db().GetLatestSequenceNumber(); sequence < known.sequence) {
    return "the last " + std::to_string(known.sequence - sequence) +
           " writes are lost, though they were durable, from a damaged *.log file in " +
           database.directory.db() + "; its log reaches to " + describe(end) + " nevertheless";
  }
  // What was lost in an earlier start has come again once the log has grown past where it was then.
  if (known.damaged && end.index <= bound.index) {
    return "it has lost something that was durable before an earlier start, and has taken in "
           "nothing "
           "from the chain since";
  }
  return "";
}

// What the log lacks of what this node knew to be committed (R11), as text.
std::string shortOfBound(Opened& opened) {
  auto& bound = opened.recovered.bound;
  if (!bound.counts(opened.recovered.configuration)) return "";
  auto& window = opened.window;
  auto found = opened.log->positionAt(bound.at.index);
  bool above = window.end().index < bound.at.index;
  bool another = bound.at.index >= window.start().index && found != bound.at;
  if (!above && !another) return "";
  if (opened.marker.end.index < bound.at.index) opened.marker.end = bound.at;
  return "its log ends at " + describe(window.end()) + ", and " +
         (above ? "does not reach " : "holds another entry at ") + describe(bound.at) +
         ", which this node knew to be committed; " + opened.log->describeEnd();
}

std::string lacksCheckpoint(const Opened& opened) {
  auto& window = opened.window;
  return "its checkpoint is at " + describe(opened.checkpoint) +
         ", which is not in its log from index " + std::to_string(window.start().index) + " to " +
         std::to_string(window.end().index) + "; " + opened.log->describeEnd();
}

// Nothing of an unfinished snapshot is of use.
void clearUnfinished(const RocksDatabase& database) {
  rocksdb::WriteBatch batch;
  auto status = batch.DeleteRange(STATE_BEGIN, STATE_END);
  if (status.ok()) status = database.db().Write(synced(), &batch);
  database.require(status, "drop an unfinished snapshot");
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
    if (known->storeId == recovered.storeId) {
      generation = std::max(generation, known->generation);
      if (!unsynced) recovered.bound = opened.marker.bound = known->bound;
    }
  }
  recovered.generation = generation + 1;
  opened.log =
      std::make_unique<SegmentedLog>(database, database.directory.log(), recovered.storeId);
  auto& log = *opened.log;
  log.measure(opened.window);

  opened.installing = database.readMeta(meta::INSTALLING).has_value();
  kj::Maybe<Position> anew;  // Where the log is to begin, as there is nothing of use in it.
  if (opened.installing) {
    clearUnfinished(database);
    anew = Position();
    recovered.damage =
        "a snapshot that it was taking in, from another node or from a backup, is incomplete";
  } else {
    opened.checkpoint = database.readPosition(meta::CHECKPOINT);
    recovered.damage = missing(opened);
    if (recovered.damage.empty()) recovered.damage = shortOfBound(opened);
    auto& checkpoint = opened.checkpoint;
    if (log.positionAt(checkpoint.index) != checkpoint) {
      // The checkpoint is sound by itself.
      anew = checkpoint;
      if (recovered.damage.empty()) recovered.damage = lacksCheckpoint(opened);
      if (opened.marker.end.index < checkpoint.index) opened.marker.end = checkpoint;
    }
    // A process that goes on like that says so for as long as it runs (Recovered::unsynced).
    if (recovered.damage.empty() && !unsynced && database.readMeta(meta::UNSYNCED).has_value()) {
      recovered.damage =
          "it was run with --sync=never and did not end in order, so that nobody knows what it has "
          "lost";
    }
  }
  opened.marker.damaged = !recovered.damage.empty();
  KJ_IF_MAYBE (start, anew) {
    opened.window.reset(*start);
  } else {
    opened.window.truncate(opened.window.startWithin(opened.checkpoint, opened.checkpoint.index));
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
  log.begin(recovered.generation);
  KJ_IF_MAYBE (start, anew) {
    log.cut(*start);
  }
  opened.marker.storeId = recovered.storeId;
  opened.marker.generation = recovered.generation;
  opened.marker.sequence = database.db().GetLatestSequenceNumber();
  opened.marker.cuts = log.cuts();
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
