// The least that a bid on one of a million auctions can cost, if auctions are kept in memory and in
// the store (bench/README.md, "Growth").

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <kj/async-io.h>

#include "auction/records.h"
#include "store/rocks-store.h"
#include "tests/store/auctioneer.h"
#include "tests/support/fakes.h"

namespace gavel::bench {
namespace {

// Reads one cache line of one auction after the other.  The order cannot be predicted, and each
// place is known only once the one before has been read.  Argument: auctions, of 512 bytes each.
void fetchAuction(benchmark::State& run) {
  struct Place {
    alignas(64) std::uint32_t next;
    char rest[512 - sizeof(next)];
  };
  std::vector<Place> places(static_cast<std::size_t>(run.range(0)));
  for (std::uint32_t i = 0; i < places.size(); ++i) places[i].next = i;
  // Sattolo's shuffle makes one cycle through all of them.
  std::mt19937 random(1);
  for (auto i = static_cast<std::uint32_t>(places.size()) - 1; i > 0; --i) {
    std::swap(places[i].next, places[random() % i].next);
  }
  std::uint32_t place = 0;
  for (auto _: run) place = places[place].next;
  benchmark::DoNotOptimize(place);
}
BENCHMARK(fetchAuction)->Arg(1000)->Arg(100'000)->Arg(1'000'000);

// Stores a record for each of many auctions in turn.  Records are as large as that of an auction,
// writes as large as those of a checkpoint.  CPU time is that of all threads, since the store
// writes and merges tables on threads of its own.  Argument: auctions.
void storeRecord(benchmark::State& run) {
  constexpr std::size_t RECORDS = 8192;
  constexpr std::size_t RECORD_BYTES = 220;
  kj::AsyncIoContext io = kj::setupAsyncIo();
  gavel::testing::TemporaryDirectory directory;
  gavel::testing::SeededRandom random{1};
  RocksStore store(directory.path().c_str(), SyncMode::never, random);
  auction::AuctionId id = 0;
  Position end;
  std::uint64_t count = 0;
  for (auto _: run) {
    auto index = end.index + 1;
    auction::Entry entry{index, static_cast<auction::Stamp>(index), {}, auction::OpenSession{}};
    auto batch = Batch::make(1, end, {&entry, 1});
    end = batch->end();
    store.append(batch);
    auction::Changes changes;
    changes.lastIndex = index;
    auction::RecordWriter writer(changes.records);
    for (std::size_t i = 0; i < RECORDS; ++i) {
      std::string value(RECORD_BYTES, static_cast<char>(++count));
      writer.put(auction::auctionKey(++id), value);
      if (id == static_cast<auction::AuctionId>(run.range(0))) id = 0;
    }
    store.checkpoint(end, std::move(changes)).wait(io.waitScope);
  }
  run.SetItemsProcessed(static_cast<std::int64_t>(count));
  run.counters["CPU/record"] = benchmark::Counter(
      static_cast<double>(count), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(storeRecord)->Arg(1'000'000)->Iterations(400)->MeasureProcessCPUTime();

}  // namespace
}  // namespace gavel::bench
