#include "tests/simulation/disk.h"

#include <algorithm>

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel::simulation {
namespace {

// The time until the storage thread notices that there is something to write.
constexpr auto LONGEST_WAKE = 30 * kj::MICROSECONDS;
constexpr auto LONGEST_READ = 300 * kj::MICROSECONDS;
// One sync in so many takes long.
constexpr unsigned SLOW_SYNCS = 200;
constexpr const char* HANGS = "disk hang";
constexpr auto LONGEST_SLOW_SYNC = 400 * kj::MILLISECONDS;

}  // namespace

// The store as one process sees it.
class Disk::View final: public Store {
public:
  explicit View(Disk& disk): disk(disk), inner(*disk.store_) {}
  KJ_DISALLOW_COPY(View);

  const Recovered& recovered() const override { return inner.recovered(); }
  kj::Promise<Image> load() override {
    disk.wrote();  // What the last process has left unsynced.
    return later([this]() { return inner.load(); });
  }
  void append(BatchPtr batch) override {
    disk.checkRoom();
    inner.append(kj::mv(batch));
    disk.wrote();
  }
  kj::Promise<std::uint64_t> durableAbove(std::uint64_t index) override {
    return inner.durableAbove(index);
  }
  kj::Promise<void> cut(Position end) override {
    return written([&]() { return inner.cut(end); });
  }
  Position logStart() const override { return inner.logStart(); }
  kj::Promise<std::vector<BatchPtr>> readLog(std::uint64_t after, std::size_t maxBytes) override {
    return later([this, after, maxBytes]() { return inner.readLog(after, maxBytes); });
  }
  kj::Promise<kj::Maybe<Position>> lastWithin(Position limit) override {
    return later([this, limit]() { return inner.lastWithin(limit); });
  }
  kj::Promise<void> saveConfiguration(const Configuration& configuration) override {
    return written([&]() { return inner.saveConfiguration(configuration); });
  }
  kj::Promise<void> savePromise(const RebuildPromise& promise) override {
    return written([&]() { return inner.savePromise(promise); });
  }
  void saveBound(const Bound& bound) override {
    disk.checkRoom();
    inner.saveBound(bound);
    disk.wrote();
  }
  kj::Promise<std::string> keepAside(std::uint64_t after, std::uint64_t epoch) override {
    disk.checkRoom();
    auto done = inner.keepAside(after, epoch);
    disk.wrote();
    return done;
  }
  kj::Promise<void> checkpoint(Position at, auction::Changes changes) override {
    auto done = written([&]() { return inner.checkpoint(at, kj::mv(changes)); });
    return canceler.wrap(done.then([this]() { return disk.readDelay(); }));
  }
  kj::Own<SnapshotReader> openSnapshot() override { return inner.openSnapshot(); }
  kj::Promise<void> beginInstall() override {
    return written([&]() { return inner.beginInstall(); });
  }
  kj::Promise<void> install(kj::Array<kj::byte> records) override {
    return written([&]() { return inner.install(kj::mv(records)); });
  }
  kj::Promise<void> finishInstall(Position at) override {
    return written([&]() { return inner.finishInstall(at); });
  }
  DiskActivity activity() const override { return disk.activity(); }
  void probe() override { disk.probe(); }
  const auction::EndedAuctions& ended() const override { return inner.ended(); }
  kj::Promise<std::vector<auction::Version>> history(auction::AuctionId auction,
                                                     std::uint64_t first,
                                                     std::uint64_t count) override {
    return later([this, auction, first, count]() { return inner.history(auction, first, count); });
  }
  kj::Promise<std::vector<auction::Auction>> auctions(auction::AuctionId after,
                                                      std::size_t limit) override {
    return later([this, after, limit]() { return inner.auctions(after, limit); });
  }

private:
  Disk& disk;
  MemoryStore& inner;
  kj::Canceler canceler;  // Calls may outlive this, and the process.

  template <typename Write>
  kj::Promise<void> written(Write write) {
    disk.checkRoom();
    auto done = write();
    disk.wrote();
    return done;
  }
  template <typename Read>
  auto later(Read read) -> decltype(read()) {
    return canceler.wrap(disk.readDelay().then(kj::mv(read)));
  }
};

Disk::Disk(Engine& engine, Dice dice, Settings diskSettings)
    : engine(engine), dice(dice), settings(diskSettings) {
  settings.store.syncAtRestart = false;
  wipe();
}

Disk::~Disk() noexcept(false) = default;

kj::Own<Store> Disk::open(Process& process) {
  KJ_REQUIRE(user == nullptr);
  user = &process;
  reason.clear();
  syncs = RecentDurations();  // Each process measures for itself.
  return kj::heap<View>(*this);
}

DiskActivity Disk::activity() const {
  auto now = std::chrono::nanoseconds(engine.now() / kj::NANOSECONDS);
  auto unfinished = syncing ? now - syncBegan : std::chrono::nanoseconds(0);
  return {endedSyncs, syncing, syncs.summary(now, unfinished)};
}

void Disk::probe() {
  if (syncing || user == nullptr) return;
  syncing = true;
  beginSync(*user);
}

void Disk::processEnded() {
  user = nullptr;
  syncing = false;
  syncFails = false;
  store_ = store_->restart(MemoryStore::Crash::process);
}

void Disk::powerLost() {
  user = nullptr;
  syncing = false;
  syncFails = false;
  auto kept = settings.fixed ? 0 : dice.below(store_->unsyncedWrites() + 1);
  store_ = store_->restart(MemoryStore::Crash::power, kept);
}

void Disk::wipe() {
  KJ_REQUIRE(user == nullptr);
  replaced.clear();
  store_ = kj::heap<MemoryStore>(dice.id(), MemoryStore::Sync::manual, settings.store);
}

kj::Own<MemoryStore> Disk::copy() const {
  return store_->restart(MemoryStore::Crash::process);
}

void Disk::putBack(kj::Own<MemoryStore> copy) {
  KJ_REQUIRE(user == nullptr);
  replaced.push_back({engine.now(), kj::mv(store_)});
  store_ = kj::mv(copy);
}

const MemoryStore& Disk::leftAt(Time end) const {
  for (auto& each: replaced) {
    if (each.at >= end) return *each.store;
  }
  return *store_;
}

bool Disk::explains(const std::string& lastWords) const {
  if (reason.empty()) return false;
  // After the others, the process ends in the same turn.
  return reason != HANGS || lastWords.find("the disk does not answer") != std::string::npos;
}

void Disk::checkRoom() {
  if (!full) return;
  reason = "disk full";
  if (onStruck) onStruck("disk full");
  die("no space left for the data directory: leaving the chain");
}

void Disk::wrote() {
  if (syncing || user == nullptr || store_->unsyncedWrites() == 0) return;
  syncing = true;
  auto& process = *user;
  engine.after(drawUpTo(LONGEST_WAKE), process, [this, &process]() { beginSync(process); });
}

Time Disk::drawSync() {
  if (settings.fixed) return settings.longestSync;
  return dice.below(SLOW_SYNCS) == 0 ? dice.skewed(settings.longestSync, LONGEST_SLOW_SYNC)
                                     : dice.skewed(settings.shortestSync, settings.longestSync);
}

void Disk::beginSync(Process& process) {
  auto writes = store_->unsyncedWrites();
  auto time = drawSync();
  syncBegan = std::chrono::nanoseconds(engine.now() / kj::NANOSECONDS);
  if (crawlsUntil > engine.now()) {
    time += crawl;
    if (onStruck) onStruck("disk crawl");
  }
  auto end = engine.now() + time;
  if (hangsUntil > engine.now()) {
    end = std::max(end, hangsUntil);
    if (onStruck && reason != HANGS) onStruck(HANGS);
    reason = HANGS;
  }
  engine.at(end, process, [this, writes]() { endSync(writes); });
}

void Disk::endSync(std::size_t writes) {
  if (syncFails) {
    syncFails = false;
    reason = "sync failed";
    if (onStruck) onStruck("sync error");
    die("the data directory failed: leaving the chain", {{"error", "sync: input/output error"}});
  }
  syncing = false;
  ++endedSyncs;
  auto now = std::chrono::nanoseconds(engine.now() / kj::NANOSECONDS);
  syncs.add(now, now - syncBegan);
  store_->sync(writes);
  wrote();
}

kj::Promise<void> Disk::readDelay() {
  if (user == nullptr) return kj::NEVER_DONE;
  auto paf = kj::newPromiseAndFulfiller<void>();
  engine.after(drawUpTo(LONGEST_READ), *user,
               [fulfiller = kj::mv(paf.fulfiller)]() mutable { fulfiller->fulfill(); });
  return kj::mv(paf.promise);
}

}  // namespace gavel::simulation
