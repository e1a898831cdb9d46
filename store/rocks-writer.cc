#include "store/rocks-writer.h"

#include <algorithm>
#include <future>
#include <utility>

#include <kj/debug.h>

#include "auction/records.h"
#include "base/logging.h"
#include "base/planted.h"
#include "store/rocks-read.h"

namespace gavel {
namespace {

constexpr auto MARKER_SYNC_PERIOD = std::chrono::seconds(1);

void must(const rocksdb::Status& status) {
  KJ_ASSERT(status.ok(), status.ToString().c_str());
}

// The database finds the place of a record faster if it is near that of the one before.
std::vector<auction::RecordReader::Record> inOrderOfKey(std::string_view bytes) {
  std::vector<auction::RecordReader::Record> records;
  auction::RecordReader reader(bytes);
  while (auto record = reader.next()) records.push_back(*record);
  std::sort(records.begin(), records.end(), [](auto& a, auto& b) { return a.key < b.key; });
  return records;
}

}  // namespace

RocksWriter::RocksWriter(Opened&& opened, std::shared_ptr<RocksDatabase> database,
                         std::shared_ptr<SegmentedLog> log, std::shared_ptr<RocksShared> shared,
                         const auction::EndedAuctions& ended, DiskMonitor& monitor, bool sync)
    : database(std::move(database)),
      log(std::move(log)),
      shared(std::move(shared)),
      ended(ended),
      monitor(monitor),
      sync(sync),
      durable(opened.window.end().index),
      markerFile(std::move(opened.markerFile)),
      marker(opened.marker),
      markerSynced(std::chrono::steady_clock::now()),
      checkpoint_(opened.checkpoint),
      durableCheckpoint(opened.checkpoint.index),
      window(opened.window),
      installing(opened.installing),
      thread(std::make_unique<WorkerThread>()) {}

// -- on the event loop

void RocksWriter::append(BatchPtr batch) {
  post(Append{std::move(batch)});
}

void RocksWriter::save(const char* key, std::string value, Fulfiller fulfiller) {
  post(Save{key, std::move(value), kj::mv(fulfiller)});
}

void RocksWriter::bound(const Bound& bound) {
  post(NoteBound{bound});
}

void RocksWriter::cut(Position end, Fulfiller fulfiller) {
  announceCut(end.index);
  post(Cut{end, kj::mv(fulfiller)});
}

void RocksWriter::checkpoint(Position at, std::string records, Fulfiller fulfiller) {
  post(Checkpoint{at, std::move(records), kj::mv(fulfiller)});
}

void RocksWriter::beginInstall(Fulfiller fulfiller) {
  announceCut(0);
  post(BeginInstall{kj::mv(fulfiller)});
}

void RocksWriter::install(kj::Array<kj::byte> records, Fulfiller fulfiller) {
  post(Install{kj::mv(records), kj::mv(fulfiller)});
}

void RocksWriter::finishInstall(Position at, Fulfiller fulfiller) {
  post(FinishInstall{at, false, kj::mv(fulfiller)});
}

void RocksWriter::afterAll(kj::Function<void()> next) {
  post(AfterAll{kj::mv(next)});
}

void RocksWriter::probe() {
  // With --sync=never nobody waits for the disk.
  if (!sync) return;
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (!queue.empty()) return;
  }
  post(Probe{});
}

// One job takes all that has gathered by the time it runs.
void RocksWriter::post(Work work) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (closed) return;
    queue.push_back(std::move(work));
    if (scheduled) return;
    scheduled = true;
  }
  thread->post([this]() {
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([this]() { process(); })) {
      database->fail(*exception, "write");
    }
  });
}

void RocksWriter::close() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    closed = true;
  }
  std::promise<void> done;
  thread->post([this, &done]() {
    log->sync();
    syncDatabase();
    if (!sync) {
      // It ends in order, with all that was written.
      rocksdb::WriteOptions synced;
      synced.sync = true;
      database->require(database->db().Delete(synced, meta::UNSYNCED), "sync its log");
      marker.sequence = database->db().GetLatestSequenceNumber();
    }
    mark(true);
    finished = true;
    done.set_value();
  });
  // The thread stays, since another one may be about to give it more work.
  done.get_future().wait();
}

void RocksWriter::announceCut(std::uint64_t index) {
  std::lock_guard<std::mutex> lock(mutex);
  ++cutsAhead;
  cutTo = std::min(cutTo, index);
}

std::uint64_t RocksWriter::visible() const {
  return std::min(durable, cutTo);
}

kj::Promise<std::uint64_t> RocksWriter::durableAbove(std::uint64_t index) {
  std::lock_guard<std::mutex> lock(mutex);
  if (visible() > index) return visible();
  auto paf = kj::newPromiseAndCrossThreadFulfiller<std::uint64_t>();
  awaitedAbove = index;
  awaited = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
}

bool RocksWriter::healed() {
  std::lock_guard<std::mutex> lock(mutex);
  return healed_;
}

// -- on the thread

void RocksWriter::process() {
  if (finished) return;
  std::vector<Work> work;
  {
    std::lock_guard<std::mutex> lock(mutex);
    scheduled = false;
    work.swap(queue);
  }
  Group group;
  for (auto& one: work) run(group, one);
  write(group);
}

void RocksWriter::run(Group& group, Work& work) {
  if (auto* append = std::get_if<Append>(&work)) {
    if (!group.saves.empty()) write(group);
    group.batches.push_back(std::move(append->batch));
    return;
  }
  if (auto* save = std::get_if<Save>(&work)) {
    RocksDatabase::putMeta(group.batch, save->key, save->value);
    group.saves.push_back(kj::mv(save->fulfiller));
    return;
  }
  // Everything else comes after what was queued before it.
  write(group);
  if (auto* note = std::get_if<NoteBound>(&work)) {
    marker.bound = note->bound;
    return mark(true);
  }
  if (auto* cut = std::get_if<Cut>(&work)) return run(*cut);
  if (auto* checkpoint = std::get_if<Checkpoint>(&work)) return run(*checkpoint);
  if (auto* begin = std::get_if<BeginInstall>(&work)) return run(*begin);
  if (auto* install = std::get_if<Install>(&work)) return run(*install);
  if (auto* finish = std::get_if<FinishInstall>(&work)) return run(*finish);
  if (std::holds_alternative<Probe>(work)) return runProbe();
  std::get<AfterAll>(work).next();
}

void RocksWriter::commit(rocksdb::WriteBatch& batch, bool synced, kj::StringPtr doing) {
  rocksdb::WriteOptions how;
  how.sync = synced && sync;
  DiskMonitor::Call call(monitor, how.sync ? DiskMonitor::Kind::sync : DiskMonitor::Kind::write);
  database->require(database->db().Write(how, &batch), doing);
  if (how.sync) noteDatabaseSynced();
  if (!database->tableIsFull()) return;
  syncDatabase();
  database->beginTable();
}

void RocksWriter::syncDatabase() {
  DiskMonitor::Call call(monitor, DiskMonitor::Kind::sync);
  database->require(database->db().SyncWAL(), "sync its database");
  noteDatabaseSynced();
}

void RocksWriter::noteDatabaseSynced() {
  marker.sequence = database->db().GetLatestSequenceNumber();
  durableCheckpoint = checkpoint_.index;
}

void RocksWriter::write(Group& group) {
  if (group.batches.empty() && group.saves.empty()) return;
  if (!group.batches.empty()) {
    if (planted(Bug::markBeforeLog) && !marker.damaged) {
      marker.end = group.batches.back()->end();
      markerFile->write(marker);
    }
    log->append(group.batches, sync);
    note(group.batches);
    tellDurable(window.end().index, false);
  }
  if (!group.saves.empty()) commit(group.batch, true, "note a configuration or a promise");
  mark(false);
  for (auto& save: group.saves) save->fulfill();
  group = Group();
}

// Takes account of batches that are durable now.
void RocksWriter::note(const std::vector<BatchPtr>& batches) {
  for (auto& batch: batches) {
    auto end = batch->end();
    window.grow(end, batch->bytes().size());
    if (!marker.damaged) continue;
    // What was lost up to marker.end is made up for by the same entries, or by those that a
    // later epoch has put in their place.  If it is unknown what was lost, or if that was no
    // entry, any entries make up for it.  For a node appends only once a stored configuration
    // has named it as it is now (R2), and from then on it has to hold whatever is committed
    // before it counts again (R9).
    bool covers = end.index >= marker.end.index && batch->firstIndex() <= marker.end.index;
    bool beyond = batch->previous() == marker.end;
    if (beyond || end == marker.end || (covers && batch->epoch() > marker.end.epoch)) {
      logInfo("the log holds again what it had lost", {{"index", end.index}});
      heal();
    }
  }
}

void RocksWriter::tellDurable(std::uint64_t index, bool cutDone) {
  kj::Maybe<kj::Own<kj::CrossThreadPromiseFulfiller<std::uint64_t>>> reached;
  {
    std::lock_guard<std::mutex> lock(mutex);
    durable = index;
    if (cutDone && --cutsAhead == 0) cutTo = NO_CUT;
    if (visible() <= awaitedAbove) return;
    index = visible();
    reached = kj::mv(awaited);
    awaited = nullptr;
  }
  KJ_IF_MAYBE (waiting, reached) {
    (*waiting)->fulfill(kj::mv(index));
  }
}

// Notes what is durable by now.  An older marker says nothing wrong, so syncing it now and then is
// enough, unless what it says has become less.
void RocksWriter::mark(bool syncNow) {
  // What is not synced is not durable.
  if (!sync && !syncNow) return;
  if (!marker.damaged) marker.end = window.end();
  marker.cuts = log->cuts();
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 markerFile->write(marker);
                 auto now = std::chrono::steady_clock::now();
                 if (!syncNow && now < markerSynced + MARKER_SYNC_PERIOD) return;
                 markerFile->sync();
                 markerSynced = now;
               })) {
    database->fail(*exception, "note what is durable");
  }
}

// The marker is written over itself, so that a full disk does not make this fail.  On some file
// systems it fails all the same.  The warning is for their operator; nothing is lost.
void RocksWriter::runProbe() {
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 markerFile->write(marker);
                 markerFile->sync();
                 markerSynced = std::chrono::steady_clock::now();
                 saidFull = false;
               })) {
    if (exception->getType() != kj::Exception::Type::OVERLOADED) {
      database->fail(*exception, "probe its disk");
    }
    if (!saidFull) {
      logWarning("the disk of the data directory is full",
                 {{"error", exception->getDescription()}});
    }
    saidFull = true;
  }
}

// The log now ends at `end`, and is sound up to there.
void RocksWriter::rewind(const Position& end) {
  // This comes after the log itself, which says how often it was cut.  A crash between the two
  // leaves a marker that is known to be from before the cut.
  marker.end = end;
  mark(sync);
  tellDurable(end.index, true);
}

// Nothing that counts is missing any more.
void RocksWriter::heal() {
  if (!marker.damaged) return;
  marker.damaged = false;
  std::lock_guard<std::mutex> lock(mutex);
  healed_ = true;
}

void RocksWriter::run(Cut& cut) {
  auto& end = cut.end;
  if (log->positionAt(end.index) != end || end.index < checkpoint_.index) {
    tellDurable(window.end().index, true);
    cut.fulfiller->reject(KJ_EXCEPTION(FAILED, "a cut where no batch ends, or into the checkpoint",
                                       end.epoch, end.index, checkpoint_.index));
    return;
  }
  if (end == window.end() && !installing && !marker.damaged) {
    tellDurable(end.index, true);
    cut.fulfiller->fulfill();
    return;
  }
  if (installing) {
    // The records of an unfinished snapshot are part of nothing.
    rocksdb::WriteBatch batch;
    must(batch.DeleteRange(STATE_BEGIN, STATE_END));
    must(batch.Delete(meta::INSTALLING));
    commit(batch, true, "give up a snapshot");
  }
  log->cut(end);
  installing = false;
  window.cut(end);
  // The chain's log said where to cut, after a configuration had named this node (R2).
  heal();
  rewind(end);
  cut.fulfiller->fulfill();
}

void RocksWriter::run(Checkpoint& checkpoint) {
  auto& at = checkpoint.at;
  if (log->positionAt(at.index) != at || at.index < checkpoint_.index) {
    checkpoint.fulfiller->reject(KJ_EXCEPTION(FAILED, "a checkpoint where no batch ends", at.epoch,
                                              at.index, checkpoint_.index));
    return;
  }
  rocksdb::WriteBatch batch;
  auto bad = kj::runCatchingExceptions([&]() {
    for (auto& record: inOrderOfKey(checkpoint.records)) {
      auto key = stateKey(record.key);
      must(record.value ? batch.Put(key, sliceOf(*record.value)) : batch.Delete(key));
    }
  });
  KJ_IF_MAYBE (exception, bad) {
    checkpoint.fulfiller->reject(kj::mv(*exception));
    return;
  }
  RocksDatabase::putMeta(batch, meta::CHECKPOINT, encodePosition(at));
  // Not synced: if it is lost, the one before stands, with the log from there on.
  commit(batch, false, "write a checkpoint");
  checkpoint_ = at;
  truncate(at);
  checkpoint.fulfiller->fulfill();
}

// Lets others see the new checkpoint, and drops the log that nobody needs any more.
void RocksWriter::truncate(const Position& at) {
  auto committed = std::make_shared<const Committed>(database);
  Position start;
  {
    std::lock_guard<std::mutex> lock(shared->mutex);
    // From here on nobody can begin to read the one before.
    shared->committed = committed;
    auto needed = at.index;
    if (!shared->readers.empty()) needed = std::min(needed, *shared->readers.begin());
    start = window.startWithin(at, needed);
    shared->logStart = start;
  }
  if (start == window.start()) return;
  window.truncate(start);
  if (!log->frees(start)) return;
  // What is freed must not be needed after a crash either.
  if (start.index > durableCheckpoint) syncDatabase();
  log->truncate(start);
}

void RocksWriter::publish(const Position& logStart) {
  auto committed = std::make_shared<const Committed>(database);
  std::lock_guard<std::mutex> lock(shared->mutex);
  shared->committed = committed;
  shared->logStart = logStart;
}

void RocksWriter::run(BeginInstall& begin) {
  rocksdb::WriteBatch batch;
  must(batch.DeleteRange(STATE_BEGIN, STATE_END));
  must(batch.Delete(meta::CHECKPOINT));
  RocksDatabase::putMeta(batch, meta::INSTALLING, "");
  checkpoint_ = {};
  commit(batch, true, "begin to take in a snapshot");
  log->cut({});
  installing = true;
  lastKey.clear();
  window.reset({});
  publish({});
  rewind({});
  begin.fulfiller->fulfill();
}

void RocksWriter::run(Install& install) {
  install.fulfiller->rejectIfThrows([&]() {
    KJ_REQUIRE(installing, "a part of a snapshot before its beginning");
    rocksdb::WriteBatch batch;
    auto bytes = install.records.asChars();
    auction::RecordReader records({bytes.begin(), bytes.size()});
    while (auto record = records.next()) {
      auction::kindOf(record->key);
      KJ_REQUIRE(record->value.has_value(), "a snapshot with the removal of a record");
      KJ_REQUIRE(record->key > lastKey, "a snapshot with records out of order, or twice");
      lastKey = std::string(record->key);
      must(batch.Put(stateKey(record->key), sliceOf(*record->value)));
    }
    commit(batch, false, "take in a part of a snapshot");
    install.fulfiller->fulfill();
  });
}

void RocksWriter::run(FinishInstall& finish) {
  if (!installing) {
    finish.fulfiller->reject(KJ_EXCEPTION(FAILED, "the end of a snapshot before its beginning"));
    return;
  }
  if (!finish.audited) return audit(finish.at, kj::mv(finish.fulfiller));
  // The log comes first: if the rest is lost, the next start drops everything.
  log->cut(finish.at);
  rocksdb::WriteBatch batch;
  must(batch.Delete(meta::INSTALLING));
  RocksDatabase::putMeta(batch, meta::CHECKPOINT, encodePosition(finish.at));
  checkpoint_ = finish.at;
  commit(batch, true, "finish taking in a snapshot");
  installing = false;
  window.reset(finish.at);
  publish(finish.at);
  heal();
  mark(sync);
  tellDurable(finish.at.index, false);
  finish.fulfiller->fulfill();
}

// Checks all records on the other thread, so that a configuration need not wait for it.
void RocksWriter::audit(Position at, Fulfiller fulfiller) {
  auto job = [this, at, fulfiller = kj::mv(fulfiller)]() mutable {
    auto bad = kj::runCatchingExceptions([&]() { auditRecords(*database, ended, at.index); });
    KJ_IF_MAYBE (exception, bad) {
      fulfiller->reject(
          kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                        kj::str("a snapshot that is not sound: ", exception->getDescription())));
      return;
    }
    post(FinishInstall{at, true, kj::mv(fulfiller)});
  };
  std::lock_guard<std::mutex> lock(shared->mutex);
  if (shared->readThread != nullptr) shared->readThread->post(kj::mv(job));
}

}  // namespace gavel
