#include "tests/simulation/scenario.h"

#include <kj/debug.h>

#include "base/logging.h"
#include "tests/history/checker.h"
#include "tests/simulation/cluster.h"

namespace gavel::simulation {

Report runSeed(std::uint64_t seed, Trace& trace) {
  Report report;
  report.seed = seed;
  KjLogForwarder libraryLog;
  Dice dice(seed);
  Cluster cluster(trace, dice, Plan::draw(dice));
  auto& engine = cluster.engine;
  engine.note(cluster.plan.describe());
  cluster.start();
  auto never = []() { return false; };
  engine.run(10 * kj::SECONDS, never);
  cluster.bidding->stop();
  engine.run(20 * kj::SECONDS,
             [&]() { return cluster.bidding->phase() == Bidding::Phase::stopped; });
  cluster.bidding->readFinals();
  engine.run(30 * kj::SECONDS, [&]() { return cluster.bidding->phase() == Bidding::Phase::done; });
  if (cluster.bidding->phase() != Bidding::Phase::done) report.failure = cluster.bidding->problem() + cluster.describe();
  auto verdict = history::check(cluster.bidding->history());
  if (!verdict.linearizable()) report.failure = verdict.text();
  engine.note(cluster.describe());
  report.operations = cluster.bidding->counts();
  report.seconds = engine.now() / kj::MILLISECONDS / 1000.0;
  report.events = engine.eventCount();
  report.hash = trace.hash();
  return report;
}

}  // namespace gavel::simulation
