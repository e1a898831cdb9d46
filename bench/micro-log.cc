// The log: batches, messages to the successor, and the store on the disk of the temporary
// directory.

#include <deque>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <capnp/message.h>
#include <kj/async-io.h>

#include "log/batch.h"
#include "schema/peer.capnp.h"
#include "store/rocks-store.h"
#include "tests/store/auctioneer.h"
#include "tests/support/fakes.h"

namespace gavel::bench {
namespace {

// Makes entries as bids do.
class Bids {
public:
  explicit Bids(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto sequence = i + 1;
      entries.push_back(
          {sequence,
           static_cast<auction::Stamp>(1000 + i),
           {1, sequence, sequence},
           auction::Bid{"auction-1", {"bidder-1", {}}, static_cast<auction::Amount>(100 + i)}});
    }
  }

  BatchPtr batch() const { return Batch::make(1, {}, entries); }

private:
  std::vector<auction::Entry> entries;
};

void perEntry(benchmark::State& run, std::int64_t entries) {
  run.SetItemsProcessed(run.iterations() * entries);
}

// Arguments of all these: entries in a batch.

void encodeBatch(benchmark::State& run) {
  Bids bids(static_cast<std::size_t>(run.range(0)));
  std::size_t bytes = 0;
  for (auto _: run) {
    auto batch = bids.batch();
    bytes = batch->bytes().size();
    benchmark::DoNotOptimize(batch);
  }
  perEntry(run, run.range(0));
  run.counters["bytes/entry"] = double(bytes) / double(run.range(0));
}
BENCHMARK(encodeBatch)->Arg(1)->Arg(16)->Arg(256);

// Checks the checksum, and copies.
void parseBatch(benchmark::State& run) {
  auto batch = Bids(static_cast<std::size_t>(run.range(0))).batch();
  for (auto _: run) benchmark::DoNotOptimize(Batch::parse(batch->bytes()));
  perEntry(run, run.range(0));
}
BENCHMARK(parseBatch)->Arg(1)->Arg(16)->Arg(256);

void decodeEntries(benchmark::State& run) {
  auto batch = Bids(static_cast<std::size_t>(run.range(0))).batch();
  for (auto _: run) {
    batch->forEach([](const auction::Entry& entry) { benchmark::DoNotOptimize(entry.index); });
  }
  perEntry(run, run.range(0));
}
BENCHMARK(decodeEntries)->Arg(1)->Arg(16)->Arg(256);

// Builds the message to the successor and reads it back, without sending it.
void appendMessage(benchmark::State& run) {
  auto batch = Bids(static_cast<std::size_t>(run.range(0))).batch();
  for (auto _: run) {
    capnp::MallocMessageBuilder message(
        static_cast<unsigned>(batch->bytes().size() / sizeof(capnp::word) + 32));
    auto append = message.initRoot<schema::Link::AppendParams>();
    auto header = append.initHeader();
    header.setClusterId(1);
    header.setEpoch(1);
    header.setSender(2);
    header.setReceiver(3);
    append.initBatches(1).set(0, batch->bytes());
    append.setDurable(1);
    auto words = capnp::messageToFlatArray(message);
    capnp::FlatArrayMessageReader reader(words);
    auto received = reader.getRoot<schema::Link::AppendParams>();
    for (auto bytes: received.getBatches()) benchmark::DoNotOptimize(Batch::parse(bytes));
  }
  perEntry(run, run.range(0));
}
BENCHMARK(appendMessage)->Arg(1)->Arg(16)->Arg(256);

// A store in a temporary directory, and a log for it.
class Disk {
public:
  explicit Disk(SyncMode sync): store(directory.path().c_str(), sync, random) {}

  // Makes the next batch; the log need not keep it.
  BatchPtr make(std::size_t entries) {
    auto batch = auctioneer.next(entries);
    auctioneer.log.clear();
    return batch;
  }
  void append(BatchPtr batch) { store.append(std::move(batch)); }
  void untilDurable() {
    while (durable < auctioneer.end.index) durable = store.durableAbove(durable).wait(io.waitScope);
  }
  void checkpoint() {
    auto changes = auctioneer.state.capture();
    auto copy = changes;
    store.checkpoint(auctioneer.end, std::move(copy)).wait(io.waitScope);
    auctioneer.state.release(changes);
  }
  // Reads the whole snapshot and returns its size in bytes.
  std::size_t readSnapshot() {
    auto reader = store.openSnapshot();
    std::size_t bytes = 0;
    for (;;) {
      auto part = reader->next().wait(io.waitScope);
      if (part.size() == 0) return bytes;
      bytes += part.size();
    }
  }

private:
  kj::AsyncIoContext io = kj::setupAsyncIo();
  gavel::testing::TemporaryDirectory directory;
  gavel::testing::SeededRandom random{1};
  Auctioneer auctioneer;
  std::uint64_t durable = 0;
  RocksStore store;
};

// Appends one batch and waits until it is durable.  The time to make it is not counted.
void appendToStore(benchmark::State& run, SyncMode sync) {
  Disk disk(sync);
  auto entries = static_cast<std::size_t>(run.range(0));
  for (auto _: run) {
    run.PauseTiming();
    auto batch = disk.make(entries);
    run.ResumeTiming();
    disk.append(std::move(batch));
    disk.untilDurable();
  }
  perEntry(run, run.range(0));
}
BENCHMARK_CAPTURE(appendToStore, synced, SyncMode::always)
    ->Arg(1)
    ->Arg(16)
    ->Arg(256)
    ->UseRealTime();
BENCHMARK_CAPTURE(appendToStore, unsynced, SyncMode::never)
    ->Arg(1)
    ->Arg(16)
    ->Arg(256)
    ->UseRealTime();

// Captures the changes of so many entries and stores them.
void checkpoint(benchmark::State& run) {
  Disk disk(SyncMode::never);
  for (auto _: run) {
    run.PauseTiming();
    disk.append(disk.make(static_cast<std::size_t>(run.range(0))));
    disk.untilDurable();
    run.ResumeTiming();
    disk.checkpoint();
  }
  perEntry(run, run.range(0));
}
BENCHMARK(checkpoint)->Arg(1000)->Arg(10'000)->UseRealTime();

// Reads all of the state, as for a node that joins.
void snapshot(benchmark::State& run) {
  Disk disk(SyncMode::never);
  disk.append(disk.make(static_cast<std::size_t>(run.range(0))));
  disk.checkpoint();
  std::size_t bytes = 0;
  for (auto _: run) bytes = disk.readSnapshot();
  run.SetBytesProcessed(run.iterations() * static_cast<std::int64_t>(bytes));
}
BENCHMARK(snapshot)->Arg(100'000)->UseRealTime();

}  // namespace
}  // namespace gavel::bench
