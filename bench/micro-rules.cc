// The rules alone: judging and applying bids, and capturing their changes.

#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "auction/state.h"

namespace gavel::bench {
namespace {

constexpr std::size_t BIDDERS = 16;
constexpr std::uint64_t RELEASE_EVERY = 65'536;  // Bids; nodes release records as well.

// A state with open auctions and one session.  It bids on the auctions in turn, always higher.
class Market {
public:
  explicit Market(std::size_t auctions) {
    apply({}, auction::OpenSession{});
    session = state.lastIndex();
    auction::Terms terms;
    terms.item = "a lamp";
    terms.duration = 1'000'000'000'000'000;
    for (std::size_t i = 0; i < auctions; ++i) {
      names.push_back("auction-" + std::to_string(i));
      apply(request(), auction::CreateAuction{names.back(), {"seller", {}}, terms});
    }
    for (std::size_t i = 0; i < BIDDERS; ++i) bidders.push_back("bidder-" + std::to_string(i));
    // Registers each bidder, and gives each auction a bid.
    for (std::size_t i = 0; i < std::max(auctions, BIDDERS); ++i) bid();
    release();
  }

  auction::Entry nextBid() {
    auto turn = bids++;
    return entry(request(), auction::Bid{names[turn % names.size()],
                                         {bidders[turn % bidders.size()], {}},
                                         static_cast<auction::Amount>(100 + bids)});
  }
  void bid() {
    if (state.apply(nextBid()).kind != auction::Outcome::Kind::success) {
      throw std::logic_error("a bid did not succeed");
    }
  }
  auction::Entry lowBid() {
    return entry({session, sequence + 1, sequence + 1},
                 auction::Bid{names.front(), {bidders.front(), {}}, 1});
  }

  auction::Changes capture() { return state.capture(); }
  void release() { state.release(state.capture()); }

  auction::State state;

private:
  std::deque<std::string> names, bidders;
  std::uint64_t session = 0, sequence = 0;
  std::uint64_t bids = 0;

  auction::RequestId request() {
    ++sequence;
    return {session, sequence, sequence};
  }
  auction::Entry entry(auction::RequestId id, auction::Command command) const {
    auto index = state.lastIndex() + 1;
    return {index, static_cast<auction::Stamp>(1000 + index), id, std::move(command)};
  }
  void apply(auction::RequestId id, auction::Command command) {
    state.apply(entry(id, std::move(command)));
  }
};

// Argument: open auctions.
void applyBid(benchmark::State& run) {
  Market market(static_cast<std::size_t>(run.range(0)));
  std::uint64_t count = 0;
  for (auto _: run) {
    market.bid();
    if (++count % RELEASE_EVERY == 0) {
      run.PauseTiming();
      market.release();
      run.ResumeTiming();
    }
  }
  run.SetItemsProcessed(run.iterations());
}
BENCHMARK(applyBid)->Arg(1)->Arg(64)->Arg(10'000)->Arg(1'000'000);

void judgeReject(benchmark::State& run) {
  Market market(static_cast<std::size_t>(run.range(0)));
  auto low = market.lowBid();
  if (auto judged = market.state.judge(low);
      judged.log || judged.outcome.kind != auction::Outcome::Kind::tooLow) {
    throw std::logic_error("a low bid was not refused for good");
  }
  for (auto _: run) benchmark::DoNotOptimize(market.state.judge(low));
  run.SetItemsProcessed(run.iterations());
}
BENCHMARK(judgeReject)->Arg(1)->Arg(10'000);

// Captures the changes since the last capture, as records for the store.  Argument: bids in
// between, on 64 auctions.
void capture(benchmark::State& run) {
  Market market(64);
  for (auto _: run) {
    run.PauseTiming();
    for (std::int64_t i = 0; i < run.range(0); ++i) market.bid();
    run.ResumeTiming();
    auto changes = market.capture();
    run.PauseTiming();
    market.state.release(changes);
    run.ResumeTiming();
  }
  run.SetItemsProcessed(run.iterations() * run.range(0));
}
BENCHMARK(capture)->Arg(1000)->Arg(10'000);

// Hashes all open auctions.  Argument: auctions.
void stateHash(benchmark::State& run) {
  Market market(static_cast<std::size_t>(run.range(0)));
  for (auto _: run) benchmark::DoNotOptimize(market.state.hash());
}
BENCHMARK(stateHash)->Arg(1000);

}  // namespace
}  // namespace gavel::bench
