#include "store/rocks-recovery.h"

#include <cstring>

#include <capnp/serialize.h>
#include <kj/debug.h>
#include <rocksdb/write_batch.h>

#include "base/logging.h"

namespace gavel {
namespace {

rocksdb::WriteOptions synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

// Format 1 had its database elsewhere: see DataDirectory.
constexpr unsigned OLDEST_IN_DATABASE = 2;

// Calls `function`, which may fail on the disk.
template <typename Function>
void disk(const RocksDatabase& database, kj::StringPtr doing, Function&& function) {
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions(kj::fwd<Function>(function))) {
    database.fail(*exception, doing);
  }
}

// Makes an empty database in its place, or none at all.
void format(RocksDatabase& database, std::uint64_t storeId, std::size_t writeBufferBytes) {
  auto& directory = database.directory;
  disk(database, "be formatted", [&]() {
    directory.files().removeAll(directory.unfinishedDb());
    directory.files().makeDirectories(directory.unfinishedDb());
  });
  database.open(directory.unfinishedDb(), true, writeBufferBytes);
  rocksdb::WriteBatch batch;
  KJ_ASSERT(batch.Put(FORMAT_KEY, std::to_string(DATA_FORMAT)).ok());
  RocksDatabase::putMeta(batch, meta::STORE_ID, encodeNumber(storeId));
  database.require(database.db().Write(synced(), &batch), "format it");
  database.close();
  disk(database, "be formatted", [&]() {
    directory.files().rename(directory.unfinishedDb(), directory.db());
    directory.sync();
  });
}

// Formats a directory that has no database, unless it had one once.
void formatIfNew(RocksDatabase& database, MarkerFile& markerFile, std::size_t writeBufferBytes,
                 Random& random) {
  if (database.directory.files().exists(database.directory.db())) return;
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
  // The marker comes first, so that a database without a marker has lost it.
  disk(database, "be formatted", [&]() {
    markerFile.write(marker);
    markerFile.sync();
    database.directory.sync();
  });
  format(database, marker.storeId, writeBufferBytes);
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

RebuildPromise readPromise(const RocksDatabase& database) {
  auto value = database.readMeta(meta::PROMISE);
  if (!value) return {};
  std::uint64_t words[2];
  if (value->size() != sizeof(words)) database.failDamaged("a wrong size of its promise");
  std::memcpy(words, value->data(), sizeof(words));
  return {words[0], words[1]};
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
  // A start that did not reach its end has told nobody anything, so nothing of it can be missing.
  bool begun = known.generation == 0 && known.storeId == opened.recovered.storeId &&
               !opened.markerFile->unreadable();
  if (known.generation == 0 && opened.recovered.generation > 1 && !begun) {
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

  // A cut that the marker does not know was durable when it was made.
  auto bound = log.cuts() > known.cuts ? log.lastCut() : known.end;
  if (log.cuts() < known.cuts) {
    marker.end = bound;
    return "its log has been cut " + std::to_string(log.cuts()) + " times, though the cut number " +
           std::to_string(known.cuts) + " was durable: a file in " + database.directory.log() +
           " is damaged or missing";
  }
  if (end.index < bound.index) {
    auto lost = bound.index - end.index;
    marker.end = bound;
    return "its log ends at " + describe(end) + ", though it was durable up to " + describe(bound) +
           ": " + std::to_string(lost) + (lost == 1 ? " entry is lost; " : " entries are lost; ") +
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
  // What an earlier start had lost has come again once the log has grown past where it ended then.
  if (known.damaged && end.index <= bound.index) {
    return "it has lost something that was durable before an earlier start, and has taken in "
           "nothing from the chain since";
  }
  return "";
}

// Returns, as text, what the log lacks of what this node knew to be committed (R11).
std::string shortOfBound(Opened& opened) {
  auto& bound = opened.recovered.bound;
  if (!bound.counts(opened.recovered.configuration.restartedIn)) return "";
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

// Returns up to where the log is known to be on the disk, and as of how many cuts.
std::pair<Position, std::uint64_t> knownDurable(const Opened& opened) {
  KJ_IF_MAYBE (known, opened.markerFile->recovered()) {
    // If the log has lost something, the marker says what has to come again, not what is there.
    if (known->storeId == opened.recovered.storeId && !known->damaged) {
      return {known->end, known->cuts};
    }
  }
  return {Position(), 0};
}

// Reports that a write or sync had failed, and that this start has made up for it.
void forgetFailure(const RocksDatabase& database) {
  KJ_IF_MAYBE (failure, database.directory.failure()) {
    logWarning(
        "the disk failed an earlier process, which ended: what that had written without knowing it "
        "to be on the disk has been written anew",
        {{"directory", database.directory.path()}, {"failure", *failure}});
    database.directory.forgetFailure();
  }
}

Opened tryOpen(kj::StringPtr path, const RocksStoreOptions& options, Random& random) {
  auto owned = std::make_unique<RocksDatabase>(path, *options.files);
  auto& database = *owned;
  const bool unsynced = options.sync == SyncMode::never;
  if (options.replaceDamaged) {
    KJ_IF_MAYBE (reason, database.directory.damage()) {
      logWarning(
          "set aside what was damaged, to begin anew as an empty node",
          {{"directory", path}, {"where", database.directory.setAside()}, {"damage", *reason}});
    }
  }
  database.directory.refuseDamaged();

  std::unique_ptr<MarkerFile> markerFile;
  disk(database, "open the record of what is durable", [&]() {
    markerFile =
        std::make_unique<MarkerFile>(database.directory.marker(), database.directory.files());
  });
  formatIfNew(database, *markerFile, options.writeBufferBytes, random);
  database.open(database.directory.db(), false, options.writeBufferBytes);
  checkFormat(database);

  Opened opened{std::move(owned),
                std::move(markerFile),
                {},
                {},
                {},
                LogWindow(options.retainBytes, options.retainEntries)};
  auto& recovered = opened.recovered;
  recovered.storeId = database.readNumber(meta::STORE_ID);
  if (recovered.storeId == 0) database.failDamaged("it has no store id");
  recovered.configuration = readConfiguration(database);
  recovered.promised = readPromise(database);
  auto generation = database.readNumber(meta::GENERATION);
  KJ_IF_MAYBE (known, opened.markerFile->recovered()) {
    if (known->storeId == recovered.storeId) {
      generation = std::max(generation, known->generation);
      if (!unsynced) recovered.bound = opened.marker.bound = known->bound;
    }
  }
  recovered.generation = generation + 1;
  opened.log =
      std::make_unique<SegmentedLog>(database, database.directory.files(), database.directory.log(),
                                     recovered.storeId, options.segmentBytes);
  auto& log = *opened.log;
  log.measure(opened.window);

  opened.installing = database.readMeta(meta::INSTALLING).has_value();
  kj::Maybe<Position> anew;  // Where the log is to begin, if nothing in it is of use.
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
    // A process that goes on with --sync=never says so as long as it runs (Recovered::unsynced).
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

  // What RocksDB has read of its own log is in tables by now, new and synced.  What follows does
  // the same for the rest.
  database.startWriting();
  rocksdb::WriteBatch batch;
  RocksDatabase::putMeta(batch, meta::GENERATION, encodeNumber(recovered.generation));
  if (unsynced) {
    RocksDatabase::putMeta(batch, meta::UNSYNCED, encodeNumber(recovered.generation));
  } else if (database.readMeta(meta::UNSYNCED).has_value()) {
    KJ_ASSERT(batch.Delete(meta::UNSYNCED).ok());
  }
  database.require(database.db().Write(synced(), &batch), "count its starts");
  auto [durable, cuts] = knownDurable(opened);
  log.begin(recovered.generation, durable, cuts);
  KJ_IF_MAYBE (start, anew) {
    log.cut(*start);
  }
  opened.marker.storeId = recovered.storeId;
  opened.marker.generation = recovered.generation;
  opened.marker.sequence = database.db().GetLatestSequenceNumber();
  opened.marker.cuts = log.cuts();
  disk(database, "write the record of what is durable", [&]() {
    // This is the first start, though perhaps not the first process.
    bool first = true;
    KJ_IF_MAYBE (known, opened.markerFile->recovered()) {
      first = known->generation == 0;
    }
    if (first) database.directory.syncParents();
    database.directory.sync();
    // Only now: what the marker says is in files that have names.
    opened.markerFile->write(opened.marker);
    opened.markerFile->sync();
    forgetFailure(database);
  });
  database.startRunning();
  return opened;
}

}  // namespace

Opened openDataDirectory(kj::StringPtr path, const RocksStoreOptions& options, Random& random) {
  kj::Maybe<kj::Exception> refused;
  kj::Maybe<Opened> opened;
  refused = kj::runCatchingExceptions([&]() { opened = tryOpen(path, options, random); });
  KJ_IF_MAYBE (exception, refused) {
    bool damaged =
        options.replaceDamaged && DataDirectory::damage(path.cStr(), *options.files) != nullptr;
    if (!damaged) kj::throwFatalException(kj::mv(*exception));
    // The damage was found only now.
    return tryOpen(path, options, random);
  }
  return kj::mv(KJ_ASSERT_NONNULL(opened));
}

}  // namespace gavel
