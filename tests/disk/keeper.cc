#include "tests/disk/keeper.h"

#include <deque>
#include <stdexcept>

#include <kj/debug.h>

#include "tests/support/entries.h"

namespace gavel::disk {
namespace {

constexpr std::uint64_t PERIOD = 10;  // Entries an auction.

// The command at `index`, which depends on `index` only.
auction::Entry entryAt(std::uint64_t index, std::deque<std::string>& texts) {
  auto text = [&](std::string value) -> std::string_view {
    return texts.emplace_back(std::move(value));
  };
  auto stamp = static_cast<auction::Stamp>(1000 + index);
  if (index == 1) return {index, stamp, {}, auction::OpenSession{}};
  auction::RequestId request{1, index, index};
  auction::Identity owner{"owner", {}};
  auto number = (index - 2) / PERIOD;
  auto name = text("auction " + std::to_string(number));
  auto step = (index - 2) % PERIOD;
  if (step == 0) {
    auction::Terms terms;
    // Some records are large.
    terms.item = number % 3 == 0 ? text(std::string(2500, 'x')) : "a lamp";
    terms.duration = 1'000'000'000'000;
    terms.increment.value = 1;
    return {index, stamp, request, auction::CreateAuction{name, owner, terms}};
  }
  if (step == PERIOD - 1 && number % 2 == 0) {
    return {index, stamp, request, auction::CloseAuction{name, owner}};
  }
  return {index, stamp, request,
          auction::Bid{name,
                       {text("bidder " + std::to_string(index % 7)), {}},
                       static_cast<auction::Amount>(100 * index)}};
}

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what);
}

bool contains(const BranchPtr& log, const Position& position) {
  for (auto* at = log.get(); at != nullptr; at = at->before.get()) {
    if (at->end == position) return true;
  }
  return false;
}

std::pair<std::uint64_t, std::uint64_t> keyOf(const Position& position) {
  return {position.index, position.checksum};
}

}  // namespace

std::string describe(const Position& position) {
  return "index " + std::to_string(position.index) + " of epoch " + std::to_string(position.epoch);
}

RocksStoreOptions Keeper::options(TestDisk& disk) {
  RocksStoreOptions options;
  // It is small, so that files are made, reused and merged within a short history.
  options.retainBytes = 24 * 1024;
  options.segmentBytes = 16 * 1024;
  options.writeBufferBytes = 64 * 1024;
  options.files = &disk;
  return options;
}

Keeper::Keeper(World& world, TestDisk& disk, const Expected& before, std::uint64_t seed)
    : world(world), random(seed), draw(seed), expected_(before) {
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 store = kj::heap<RocksStore>(DIRECTORY, options(disk), random);
               })) {
    fail(std::string("it cannot be opened: ") + exception->getDescription().cStr());
  }
  check(before);
}

Keeper::~Keeper() noexcept(false) = default;

Expected Keeper::expected() const {
  std::lock_guard<std::mutex> lock(mutex);
  return expected_;
}

template <typename Change>
void Keeper::expect(Change change) {
  std::lock_guard<std::mutex> lock(mutex);
  change(expected_);
}

void Keeper::check(const Expected& before) {
  auto& recovered = store->recovered();
  incomplete = !recovered.damage.empty();
  if (incomplete && !before.mayBeIncomplete) fail("it says to be damaged: " + recovered.damage);
  if (before.storeId != 0 && recovered.storeId != before.storeId) fail("it is another store");
  if (recovered.generation <= before.generation) {
    fail("its generation " + std::to_string(recovered.generation) + " was told before, up to " +
         std::to_string(before.generation));
  }
  auto epoch = recovered.configuration.epoch;
  if (epoch < before.leastEpoch || epoch > before.mostEpoch) {
    fail("its configuration is that of epoch " + std::to_string(epoch) + ", but told was " +
         std::to_string(before.leastEpoch));
  }
  if (epoch != 0 && recovered.configuration != configurationOf(epoch)) {
    fail("its configuration is another one");
  }
  auto image = store->load().wait(world.io.waitScope);
  checkpointed = image.checkpoint;
  end = image.end();
  if (end.index < before.durable && !incomplete) {
    fail("its log ends at " + describe(end) + ", but durable was index " +
         std::to_string(before.durable));
  }
  BranchPtr found;
  for (auto& log: before.logs) {
    if (found == nullptr && contains(log, end)) found = log;
  }
  if (before.logs.empty() && end == Position()) found = std::make_shared<Branch>();
  if (incomplete && end == Position()) found = std::make_shared<Branch>();
  if (found == nullptr) fail("its log ends at " + describe(end) + ", which is no log's of ours");
  for (auto& batch: image.log) {
    batch->forEach([&](const auction::Entry& entry) { image.state.apply(entry); });
  }
  state = kj::mv(image.state);
  auto hash = state.hash();
  auto [known, isNew] = world.hashes.try_emplace(keyOf(end), hash);
  if (isNew && end != Position()) fail("its log ends where none ever ended");
  if (known->second != hash) fail("its state at " + describe(end) + " is another one");
  // All of the log can be read.
  auto at = store->logStart();
  for (;;) {
    auto batches = store->readLog(at.index, 1 << 20).wait(world.io.waitScope);
    if (batches.empty()) break;
    for (auto& batch: batches) {
      if (batch->previous() != at) fail("its log has a gap");
      at = batch->end();
    }
  }
  if (at != end) fail("its log can be read up to " + describe(at) + " only");
  expect([&](Expected& expected) {
    expected.logs = {found};
    expected.logs = {logUpTo(end)};
    expected.durable = end.index;
    expected.mayBeIncomplete = incomplete;
    expected.storeId = recovered.storeId;
    expected.generation = recovered.generation;
    expected.leastEpoch = expected.mostEpoch = epoch;
  });
}

BranchPtr Keeper::logUpTo(const Position& position) const {
  auto at = log();
  while (at->end != position) at = at->before;
  return at;
}

// -- what it is given to do

void Keeper::step() {
  if (incomplete) {
    if (world.snapshot.empty() || chance(30)) return cut();
    return install();
  }
  auto what = draw() % 100;
  if (what < 55) return append();
  if (what < 70) return checkpoint();
  if (what < 80) return saveConfiguration();
  if (what < 88) return cut();
  if (what < 92) return takeSnapshot();
  if (what < 96 && !world.snapshot.empty()) return install();
  flush();
}

BatchPtr Keeper::nextBatch() {
  std::deque<std::string> texts;
  std::vector<auction::Entry> entries;
  auto count = 1 + draw() % 12;
  for (std::uint64_t i = 1; i <= count; ++i) entries.push_back(entryAt(end.index + i, texts));
  auto batch = Batch::make(world.epoch, end, entries);
  batch->forEach([&](const auction::Entry& entry) { state.apply(entry); });
  end = batch->end();
  world.hashes[keyOf(end)] = state.hash();
  return batch;
}

void Keeper::append() {
  auto count = 1 + draw() % 6;
  for (std::uint64_t i = 0; i < count; ++i) {
    auto batch = nextBatch();
    expect([&](Expected& expected) {
      expected.logs = {std::make_shared<Branch>(Branch{end, log()})};
    });
    store->append(batch);
  }
  awaitDurable(end.index);
}

void Keeper::awaitDurable(std::uint64_t index) {
  for (std::uint64_t durable = expected_.durable; durable < index;) {
    durable = store->durableAbove(durable).wait(world.io.waitScope);
    expect([&](Expected& expected) { expected.durable = durable; });
  }
}

void Keeper::checkpoint() {
  auto changes = state.capture();
  auto copy = changes;
  store->checkpoint(end, kj::mv(copy)).wait(world.io.waitScope);
  state.release(changes);
  checkpointed = end;
}

void Keeper::cut() {
  // Cuts to one of the last positions that are not before the checkpoint.
  auto to = log();
  for (auto steps = draw() % 8; steps > 0; --steps) {
    if (to->before == nullptr || to->before->end.index < checkpointed.index) break;
    if (to->before->end.index < store->logStart().index) break;
    to = to->before;
  }
  ++world.epoch;
  expect([&](Expected& expected) {
    expected.logs.insert(expected.logs.begin(), to);
    expected.durable = std::min(expected.durable, to->end.index);
  });
  store->cut(to->end).wait(world.io.waitScope);
  incomplete = false;
  expect([&](Expected& expected) {
    expected.logs = {to};
    expected.durable = to->end.index;
    expected.mayBeIncomplete = false;
  });
  loadAgain();
}

// Does what a replica does after its log was changed.
void Keeper::loadAgain() {
  auto image = store->load().wait(world.io.waitScope);
  checkpointed = image.checkpoint;
  end = image.end();
  for (auto& batch: image.log) {
    batch->forEach([&](const auction::Entry& entry) { image.state.apply(entry); });
  }
  state = kj::mv(image.state);
  if (world.hashes.at(keyOf(end)) != state.hash()) fail("what it has loaded is another state");
}

void Keeper::saveConfiguration() {
  auto epoch = ++world.configurationEpoch;
  expect([&](Expected& expected) { expected.mostEpoch = epoch; });
  store->saveConfiguration(configurationOf(epoch)).wait(world.io.waitScope);
  expect([&](Expected& expected) { expected.leastEpoch = epoch; });
}

void Keeper::takeSnapshot() {
  auto reader = store->openSnapshot();
  if (reader->position() == Position()) return;
  world.snapshot.clear();
  world.snapshotAt = reader->position();
  for (;;) {
    auto part = reader->next().wait(world.io.waitScope);
    if (part.size() == 0) break;
    world.snapshot.emplace_back(part.asChars().begin(), part.size());
  }
}

void Keeper::install() {
  auto& waitScope = world.io.waitScope;
  expect([&](Expected& expected) {
    expected.logs.insert(expected.logs.begin(), std::make_shared<Branch>());
    expected.durable = 0;
    expected.mayBeIncomplete = true;
  });
  store->beginInstall().wait(waitScope);
  for (auto& part: world.snapshot) {
    store->install(kj::heapArray(bytesOfText(part))).wait(waitScope);
  }
  auto log = std::make_shared<Branch>(Branch{world.snapshotAt, nullptr});
  expect([&](Expected& expected) { expected.logs = {log, std::make_shared<Branch>()}; });
  store->finishInstall(world.snapshotAt).wait(waitScope);
  incomplete = false;
  expect([&](Expected& expected) {
    expected.logs = {log};
    expected.durable = log->end.index;
    expected.mayBeIncomplete = false;
  });
  ++world.epoch;
  loadAgain();
}

// Fills the memtable, so that RocksDB writes a table.
void Keeper::flush() {
  for (int i = 0; i < 4; ++i) {
    for (int batches = 0; batches < 3; ++batches) append();
    checkpoint();
  }
}

}  // namespace gavel::disk
