#include "tests/support/memory-store.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <kj/debug.h>

#include "auction/records.h"
#include "base/planted.h"

namespace gavel {
namespace {

using Bytes = std::shared_ptr<const std::string>;

template <typename Records>
void applyRecords(std::string_view bytes, Records& records) {
  auction::RecordReader reader(bytes);
  while (auto record = reader.next()) {
    if (record->value) {
      records.insert_or_assign(std::string(record->key), std::string(*record->value));
    } else if (auto found = records.find(record->key); found != records.end()) {
      records.erase(found);
    }
  }
}

template <typename Records>
auction::State loadState(const Records& records, const auction::EndedAuctions& ended) {
  auction::Loader loader;
  for (auto& [key, value]: records) loader.add(key, value);
  return loader.finish(ended);
}

}  // namespace

// A copy of the records.  It tells the store which part of the log is still needed.
class MemoryStore::Snapshot final: public SnapshotReader {
public:
  Snapshot(const Contents& contents, std::size_t partBytes, std::shared_ptr<Readers> readers)
      : at(contents.checkpoint),
        records(contents.records),
        partBytes(partBytes),
        readers(kj::mv(readers)),
        place(this->readers->insert(at.index)) {}
  ~Snapshot() noexcept(false) override { readers->erase(place); }
  KJ_DISALLOW_COPY(Snapshot);

  Position position() const override { return at; }

  kj::Promise<kj::Array<kj::byte>> next() override {
    std::string part;
    auction::RecordWriter writer(part);
    for (; following != records.end() && part.size() < partBytes; ++following) {
      writer.put(following->first, following->second);
    }
    return kj::heapArray(kj::StringPtr(part.c_str(), part.size()).asBytes());
  }

private:
  Position at;
  const Records records;
  Records::const_iterator following = records.begin();
  std::size_t partBytes;
  std::shared_ptr<Readers> readers;
  Readers::iterator place;
};

bool MemoryStore::Contents::holds(Position position) const {
  return position == logStart || std::any_of(log.begin(), log.end(), [&](const BatchPtr& batch) {
           return batch->end() == position;
         });
}

void MemoryStore::Contents::clear() {
  checkpoint = logStart = Position();
  records.clear();
  log.clear();
}

std::string MemoryStore::Contents::lack() const {
  if (!bound.counts(configuration.restartedIn)) return "";
  bool above = logEnd().index < bound.at.index;
  bool another = logStart.index <= bound.at.index && !holds(bound.at);
  return above || another ? "its log lacks what it knew to be committed" : "";
}

std::optional<auction::Auction> MemoryStore::Ended::find(std::string_view name) const {
  auto named = records.find(auction::nameKey(name));
  if (named == records.end()) return std::nullopt;
  auto found = records.find(auction::endedKey(auction::decodeName(named->second)));
  if (found == records.end()) return std::nullopt;
  return auction::decodeAuction(found->second);
}

MemoryStore::MemoryStore(std::uint64_t storeId, Sync sync, Options options)
    : sync_(sync), options(options) {
  recovered_.storeId = storeId;
  recovered_.generation = 1;
}

kj::Own<MemoryStore> MemoryStore::restart(Crash crash, std::size_t kept) const {
  auto next = kj::heap<MemoryStore>(recovered_.storeId, sync_, options);
  next->durable = durable;
  next->unsynced = unsynced;
  if (crash == Crash::power) {
    next->sync(std::min(kept, unsynced.size()));
    if (unsyncedSince) next->durable = *unsyncedSince;
    next->unsynced.clear();
    next->written = next->durable;
  } else {
    next->written = written;
    next->unsyncedSince = unsyncedSince;
    bool skipped = planted(Bug::countReadAsDurable) && !unsynced.empty();
    if (skipped && !unsyncedSince) next->unsyncedSince = durable;
    if (options.syncAtRestart || skipped) next->syncNow();
  }
  auto& recovered = next->recovered_;
  recovered.generation = recovered_.generation + 1;
  recovered.configuration = next->written.configuration;
  if (next->written.installing) {
    next->write([](Contents& contents) { contents.clear(); });
    if (options.syncAtRestart) next->syncNow();
    recovered.damage = "the snapshot that this node was taking in is incomplete";
  } else {
    recovered.damage = next->written.lack();
  }
  recovered.bound = next->written.bound;
  recovered.promised = next->written.promised;
  recovered.empty = next->written.checkpoint == Position() && next->written.log.empty();
  return next;
}

void MemoryStore::write(Change change, std::uint64_t cutTo) {
  change(written);
  unsynced.push_back({kj::mv(change), cutTo});
  if (sync_ == Sync::atOnce) syncNow();
}

void MemoryStore::sync(std::size_t writes) {
  KJ_REQUIRE(writes <= unsynced.size());
  for (std::size_t i = 0; i < writes; ++i) {
    unsynced.front().change(durable);
    unsynced.pop_front();
  }
  syncedWrites += writes;
  while (!syncWaiters.empty() && syncWaiters.front().writes <= syncedWrites) {
    syncWaiters.front().fulfiller->fulfill();
    syncWaiters.pop_front();
  }
  bool reached = false;
  KJ_IF_MAYBE (waiting, waiter) {
    reached = durableIndex() > waiting->above;
    if (reached) waiting->fulfiller->fulfill(durableIndex());
  }
  if (reached) waiter = nullptr;
}

kj::Promise<void> MemoryStore::whenSynced() {
  if (unsynced.empty()) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  syncWaiters.push_back({syncedWrites + unsynced.size(), kj::mv(paf.fulfiller)});
  return kj::mv(paf.promise);
}

// Entries that are about to be cut are not reported any more (R9).
std::uint64_t MemoryStore::durableIndex() const {
  auto index = durable.logEnd().index;
  for (auto& write: unsynced) index = std::min(index, write.cutTo);
  return index;
}

kj::Promise<Image> MemoryStore::load() {
  return kj::evalNow([this]() -> kj::Promise<Image> {
    Image image;
    if (written.installing) {
      image.state = auction::State(&ended_);
    } else {
      image.checkpoint = written.checkpoint;
      image.state = loadState(written.records, ended_);
    }
    for (auto& batch: written.log) {
      if (batch->firstIndex() > image.checkpoint.index) image.log.push_back(batch);
    }
    return whenSynced().then([image = kj::mv(image)]() mutable { return kj::mv(image); });
  });
}

void MemoryStore::append(BatchPtr batch) {
  KJ_REQUIRE(!written.installing, "a batch for a store that is taking in a snapshot");
  KJ_REQUIRE(batch->previous() == written.logEnd(), "a batch that does not follow the log's end",
             batch->previous().epoch, batch->previous().index, written.logEnd().epoch,
             written.logEnd().index);
  write([batch = kj::mv(batch)](Contents& contents) { contents.log.push_back(batch); });
}

kj::Promise<std::uint64_t> MemoryStore::durableAbove(std::uint64_t index) {
  if (durableIndex() > index) return durableIndex();
  auto paf = kj::newPromiseAndFulfiller<std::uint64_t>();
  waiter = Waiter{index, kj::mv(paf.fulfiller)};
  return kj::mv(paf.promise);
}

kj::Promise<void> MemoryStore::cut(Position end) {
  KJ_REQUIRE(written.holds(end), "a cut where no batch ends", end.epoch, end.index);
  KJ_REQUIRE(end.index >= written.checkpoint.index, "a cut into the checkpoint", end.index,
             written.checkpoint.index);
  write(
      [end](Contents& contents) {
        while (contents.logEnd() != end) contents.log.pop_back();
        // The store is empty now, and holds no part of a snapshot.
        if (contents.installing) contents.clear();
        contents.installing = false;
      },
      end.index);
  return whenSynced();
}

kj::Promise<std::vector<BatchPtr>> MemoryStore::readLog(std::uint64_t after, std::size_t maxBytes) {
  if (after < written.logStart.index) {
    return KJ_EXCEPTION(OVERLOADED, "the log begins later by now", after, written.logStart.index);
  }
  std::vector<BatchPtr> found;
  std::size_t bytes = 0;
  for (auto& batch: written.log) {
    if (batch->lastIndex() <= after) continue;
    if (found.empty() && batch->firstIndex() != after + 1) {
      return KJ_EXCEPTION(FAILED, "no batch begins after this index", after);
    }
    bytes += batch->bytes().size();
    if (!found.empty() && bytes > maxBytes) break;
    found.push_back(batch);
  }
  return kj::mv(found);
}

kj::Promise<kj::Maybe<Position>> MemoryStore::lastWithin(Position limit) {
  auto within = [&](const Position& position) {
    return position.epoch <= limit.epoch && position.index <= limit.index;
  };
  for (auto batch = written.log.rbegin(); batch != written.log.rend(); ++batch) {
    if (within((*batch)->end())) return kj::Maybe<Position>((*batch)->end());
  }
  if (within(written.logStart)) return kj::Maybe<Position>(written.logStart);
  return kj::Maybe<Position>(nullptr);
}

kj::Promise<void> MemoryStore::saveConfiguration(const Configuration& configuration) {
  write([configuration](Contents& contents) { contents.configuration = configuration; });
  return whenSynced();
}

kj::Promise<void> MemoryStore::savePromise(const RebuildPromise& promise) {
  write([promise](Contents& contents) { contents.promised = promise; });
  return whenSynced();
}

void MemoryStore::saveBound(const Bound& bound) {
  write([bound](Contents& contents) { contents.bound = bound; });
}

kj::Promise<std::string> MemoryStore::keepAside(std::uint64_t after, std::uint64_t) {
  write([after](Contents& contents) {
    contents.aside.clear();
    for (auto& batch: contents.log) {
      if (batch->firstIndex() > after) contents.aside.push_back(batch);
    }
  });
  return whenSynced().then([]() { return std::string("memory"); });
}

kj::Promise<void> MemoryStore::checkpoint(Position at, auction::Changes changes) {
  KJ_REQUIRE(written.holds(at), "a checkpoint where no batch ends", at.epoch, at.index);
  KJ_REQUIRE(at.index >= written.checkpoint.index && at.index == changes.lastIndex,
             "a checkpoint with changes as of another index", at.index, changes.lastIndex,
             written.checkpoint.index);
  write([at, records = Bytes(std::make_shared<std::string>(kj::mv(changes.records))),
         truncation = truncationPoint(at.index)](Contents& contents) {
    applyRecords(*records, contents.records);
    contents.checkpoint = at;
    while (contents.logStart.index < truncation) {
      contents.logStart = contents.log.front()->end();
      contents.log.pop_front();
    }
  });
  return kj::READY_NOW;
}

// The log up to this index may be dropped; it is the end of a batch.
std::uint64_t MemoryStore::truncationPoint(std::uint64_t checkpoint) const {
  auto bound = readers->empty() ? checkpoint : std::min(checkpoint, *readers->begin());
  std::size_t bytes = 0;
  for (auto& batch: written.log) bytes += batch->bytes().size();
  auto result = written.logStart.index;
  for (auto& batch: written.log) {
    if (bytes <= options.retainedBytes || batch->lastIndex() > bound) break;
    bytes -= batch->bytes().size();
    result = batch->lastIndex();
  }
  return result;
}

kj::Own<SnapshotReader> MemoryStore::openSnapshot() {
  KJ_REQUIRE(!written.installing, "a snapshot of a store that is itself taking one in");
  return kj::heap<Snapshot>(written, options.partBytes, readers);
}

kj::Promise<void> MemoryStore::beginInstall() {
  write(
      [](Contents& contents) {
        contents.clear();
        contents.installing = true;
      },
      0);
  return whenSynced();
}

kj::Promise<void> MemoryStore::install(kj::Array<kj::byte> records) {
  return kj::evalNow([&]() -> kj::Promise<void> {
    KJ_REQUIRE(written.installing, "a part of a snapshot before its beginning");
    auto bytes = std::make_shared<const std::string>(records.asChars().begin(), records.size());
    Records valid;
    applyRecords(*bytes, valid);  // It throws before anything is written.
    write([bytes = kj::mv(bytes)](Contents& contents) { applyRecords(*bytes, contents.records); });
    return kj::READY_NOW;
  });
}

kj::Promise<void> MemoryStore::finishInstall(Position at) {
  return kj::evalNow([&]() {
    KJ_REQUIRE(written.installing, "the end of a snapshot before its beginning");
    auto index = loadState(written.records, ended_).lastIndex();
    KJ_REQUIRE(index == at.index, "a snapshot as of another index than was said", index, at.index);
    write([at](Contents& contents) {
      contents.checkpoint = contents.logStart = at;
      contents.installing = false;
    });
    return whenSynced();
  });
}

kj::Promise<std::vector<auction::Version>> MemoryStore::history(auction::AuctionId auction,
                                                                std::uint64_t first,
                                                                std::uint64_t count) {
  return kj::evalNow([&]() {
    auction::VersionsPage page(auction, first, count);
    auto record = written.records.lower_bound(page.firstKey());
    while (!page.complete() && record != written.records.end() &&
           page.add(record->first, record->second)) {
      ++record;
    }
    KJ_REQUIRE(page.complete(), "a version that is not in the checkpoint", auction,
               first + page.versions().size());
    return kj::mv(page.versions());
  });
}

kj::Promise<std::vector<auction::Auction>> MemoryStore::auctions(auction::AuctionId after,
                                                                 std::size_t limit) {
  return kj::evalNow([&]() {
    // The records of each kind are in order of their ids.
    auto next = [&](auto i, auction::RecordKind kind) -> const Records::value_type* {
      if (i == written.records.end() || auction::kindOf(i->first) != kind) return nullptr;
      return &*i;
    };
    auto open = written.records.upper_bound(auction::auctionKey(after));
    auto over = written.records.upper_bound(auction::endedKey(after));
    std::vector<auction::Auction> found;
    while (found.size() < limit) {
      auto a = next(open, auction::RecordKind::auction);
      auto b = next(over, auction::RecordKind::endedAuction);
      if (a == nullptr && b == nullptr) break;
      bool first =
          b == nullptr || (a != nullptr && auction::idOf(a->first) < auction::idOf(b->first));
      found.push_back(auction::decodeAuction((first ? a : b)->second));
      ++(first ? open : over);
    }
    return found;
  });
}

}  // namespace gavel
