#include "store/rocks-store.h"

#include <utility>

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/debug.h>

#include "store/disk-monitor.h"
#include "store/rocks-aside.h"
#include "store/rocks-committed.h"
#include "store/rocks-read.h"
#include "store/rocks-recovery.h"
#include "store/rocks-snapshot.h"
#include "store/rocks-writer.h"

namespace gavel {

RocksStore::RocksStore(kj::StringPtr directory, const RocksStoreOptions& options, Random& random)
    : monitor(std::make_unique<DiskMonitor>()),
      files(std::make_unique<MonitoredFiles>(*options.files, *monitor)) {
  auto monitored = options;
  monitored.files = files.get();
  auto opened = openDataDirectory(directory, monitored, random);
  recovered_ = opened.recovered;
  recovered_.unsynced = options.sync == SyncMode::never;
  end = opened.window.end();
  installing = opened.installing;
  database = std::move(opened.database);
  log = std::move(opened.log);
  shared = std::make_shared<RocksShared>();
  shared->logStart = opened.window.start();
  shared->committed = std::make_shared<const Committed>(database);
  ended_ = std::make_unique<RocksEnded>(*database);
  readThread = std::make_unique<WorkerThread>();
  shared->readThread = readThread.get();
  writer = std::make_unique<RocksWriter>(std::move(opened), database, log, shared, *ended_,
                                         *monitor, options.sync == SyncMode::always);
}

RocksStore::~RocksStore() noexcept(false) {
  // First ends the thread that gives work to the other.
  if (writer != nullptr) writer->close();
  if (shared != nullptr) {
    std::lock_guard<std::mutex> lock(shared->mutex);
    shared->readThread = nullptr;
  }
  readThread = nullptr;
}

const Recovered& RocksStore::recovered() const {
  if (!recovered_.damage.empty() && writer->healed()) recovered_.damage.clear();
  return recovered_;
}

kj::Promise<Image> RocksStore::load() {
  auto paf = kj::newPromiseAndCrossThreadFulfiller<Image>();
  // After what is queued, so that all of it is durable, and where nothing is written meanwhile.
  writer->afterAll([this, fulfiller = kj::mv(paf.fulfiller)]() mutable {
    auto committed = std::make_shared<const Committed>(database);
    readThread->post([this, committed, cursor = log->seek(committed->position.index),
                      fulfiller = kj::mv(fulfiller)]() mutable {
      fulfiller->rejectIfThrows(
          [&]() { fulfiller->fulfill(readImage(*committed, cursor, *ended_)); });
    });
  });
  return kj::mv(paf.promise);
}

void RocksStore::append(BatchPtr batch) {
  KJ_REQUIRE(!installing, "a batch for a store that is taking in a snapshot");
  KJ_REQUIRE(batch->previous() == end, "a batch that does not follow the log's end",
             batch->previous().epoch, batch->previous().index, end.epoch, end.index);
  end = batch->end();
  writer->append(std::move(batch));
}

kj::Promise<std::uint64_t> RocksStore::durableAbove(std::uint64_t index) {
  return writer->durableAbove(index);
}

kj::Promise<void> RocksStore::cut(Position to) {
  KJ_REQUIRE(to.index <= end.index, "a cut after the log's end", to.index, end.index);
  auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
  // If the cut is refused, all is as it was.
  auto refused = [this, to, end = end, installing = installing](kj::Exception&& exception) {
    if (this->end == to) {
      this->end = end;
      this->installing = installing;
    }
    kj::throwFatalException(kj::mv(exception));
  };
  end = to;
  installing = false;
  writer->cut(to, kj::mv(paf.fulfiller));
  return finishing.wrap(paf.promise.catch_(kj::mv(refused)));
}

Position RocksStore::logStart() const {
  std::lock_guard<std::mutex> lock(shared->mutex);
  return shared->logStart;
}

kj::Promise<std::vector<BatchPtr>> RocksStore::readLog(std::uint64_t after, std::size_t maxBytes) {
  return readThread->compute<std::vector<BatchPtr>>(
      [this, after, maxBytes]() { return readBatches(*log, *shared, after, maxBytes); });
}

kj::Promise<kj::Maybe<Position>> RocksStore::lastWithin(Position limit) {
  return readThread->compute<kj::Maybe<Position>>(
      [this, limit]() { return readLastWithin(*log, *shared, limit); });
}

kj::Promise<void> RocksStore::saveConfiguration(const Configuration& configuration) {
  capnp::MallocMessageBuilder builder;
  configuration.write(builder.initRoot<schema::Configuration>());
  auto words = capnp::messageToFlatArray(builder);
  auto chars = words.asChars();
  auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
  writer->save(meta::CONFIGURATION, std::string(chars.begin(), chars.size()),
               kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

kj::Promise<void> RocksStore::savePromise(const RebuildPromise& promise) {
  auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
  writer->save(meta::PROMISE, encodeNumber(promise.epoch) + encodeNumber(promise.reign),
               kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

void RocksStore::discard(auction::State state) {
  readThread->post([state = std::move(state)]() {});
}

void RocksStore::saveBound(const Bound& bound) {
  if (!recovered_.unsynced) writer->bound(bound);
}

kj::Promise<std::string> RocksStore::keepAside(std::uint64_t after, std::uint64_t epoch) {
  auto paf = kj::newPromiseAndCrossThreadFulfiller<std::string>();
  // After what is queued, so that all of it can be read.
  writer->afterAll([this, after, epoch, fulfiller = kj::mv(paf.fulfiller)]() mutable {
    readThread->post([this, after, epoch, fulfiller = kj::mv(fulfiller)]() mutable {
      fulfiller->rejectIfThrows(
          [&]() { fulfiller->fulfill(copyAside(*database, *log, *shared, after, epoch)); });
    });
  });
  return kj::mv(paf.promise);
}

kj::Promise<void> RocksStore::checkpoint(Position at, auction::Changes changes) {
  KJ_REQUIRE(!installing, "a checkpoint for a store that is taking in a snapshot");
  KJ_REQUIRE(at.index == changes.lastIndex && at.index <= end.index,
             "a checkpoint with changes as of another index", at.index, changes.lastIndex,
             end.index);
  auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
  writer->checkpoint(at, std::move(changes.records), kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

kj::Own<SnapshotReader> RocksStore::openSnapshot() {
  KJ_REQUIRE(!installing, "a snapshot of a store that is itself taking one in");
  return openRocksSnapshot(shared);
}

kj::Promise<void> RocksStore::beginInstall() {
  installing = true;
  end = {};
  auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
  writer->beginInstall(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

kj::Promise<void> RocksStore::install(kj::Array<kj::byte> records) {
  auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
  writer->install(kj::mv(records), kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

kj::Promise<void> RocksStore::finishInstall(Position at) {
  auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
  writer->finishInstall(at, kj::mv(paf.fulfiller));
  return finishing.wrap(paf.promise.then([this, at]() {
    installing = false;
    end = at;
  }));
}

DiskActivity RocksStore::activity() const {
  return monitor->activity();
}

void RocksStore::probe() {
  writer->probe();
}

const auction::EndedAuctions& RocksStore::ended() const {
  return *ended_;
}

kj::Promise<std::vector<auction::Version>> RocksStore::history(auction::AuctionId auction,
                                                               std::uint64_t first,
                                                               std::uint64_t count) {
  return readThread->compute<std::vector<auction::Version>>(
      [committed = shared->newest(), auction, first, count]() {
        return readHistory(*committed, auction, first, count);
      });
}

kj::Promise<std::vector<auction::Auction>> RocksStore::auctions(auction::AuctionId after,
                                                                std::size_t limit) {
  return readThread->compute<std::vector<auction::Auction>>(
      [committed = shared->newest(), after, limit]() {
        return readAuctions(*committed, after, limit);
      });
}

}  // namespace gavel
