// The checker of histories.

#include <stdexcept>

#include <benchmark/benchmark.h>

#include "tests/history/checker.h"
#include "tests/history/generator.h"

namespace gavel::bench {
namespace {

// Argument: auctions, over which 10,000 operations are spread.
void checkHistory(benchmark::State& run) {
  history::test::Generator::Options options;
  options.operations = 10'000;
  options.auctions = static_cast<std::size_t>(run.range(0));
  options.clients = 16;
  options.spread = 16;
  options.unknown = 0.1;
  options.duration = 100'000'000;
  options.lasting = true;
  auto made = history::test::Generator(1).make(options);
  for (auto _: run) {
    if (!history::check(made).linearizable()) throw std::logic_error("a right history is refused");
  }
  run.SetItemsProcessed(run.iterations() * static_cast<std::int64_t>(options.operations));
}
BENCHMARK(checkHistory)->Arg(1)->Arg(64)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gavel::bench
