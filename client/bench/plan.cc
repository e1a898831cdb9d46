#include "client/bench/plan.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "client/cli/arguments.h"

namespace gavel::client::cli {
namespace {

unsigned readCount(const std::string& what, const std::string& text, std::int64_t lowest,
                   std::int64_t highest) {
  return static_cast<unsigned>(readNumber(what, text, lowest, highest));
}

void readMix(const std::string& text, LoadPlan& load) {
  auto colon = text.find(':');
  if (colon == std::string::npos) {
    throw UsageError("--mix: \"" + text + "\" is not of the form BIDS:RESULTS, as in 9:1");
  }
  load.bidShare = readCount("--mix: the part before the colon", text.substr(0, colon), 0, 1000);
  load.resultShare = readCount("--mix: the part after the colon", text.substr(colon + 1), 0, 1000);
  if (load.bidShare + load.resultShare == 0) throw UsageError("--mix: 0:0 is nothing to do");
}

Kill readKill(const std::string& text) {
  auto at = text.find('@');
  Kill kill;
  kill.role = text.substr(0, at);
  bool known =
      kill.role == "head" || kill.role == "middle" || kill.role == "tail" || kill.role == "master";
  if (at == std::string::npos || !known) {
    throw UsageError("--kill: \"" + text +
                     "\" is not of the form ROLE@TIME, as in head@5s; roles are head, middle, "
                     "tail and master");
  }
  kill.at = readDuration("--kill: the time of " + kill.role, text.substr(at + 1));
  return kill;
}

double readRate(const std::string& text) {
  char* end = nullptr;
  double rate = std::strtod(text.c_str(), &end);
  bool whole = !text.empty() && *end == '\0';
  if (!whole || !(rate > 0) || rate > 1e7) {
    throw UsageError("--rate: \"" + text + "\" is not a number of bids a second, up to 10000000");
  }
  return rate;
}

void readLoad(const BenchOptions& options, LoadPlan& load) {
  load.clients = readCount("--clients", options.clients, 1, 10'000);
  load.inFlight = readCount("--in-flight", options.inFlight, 1, 1'000'000);
  if (load.inFlight < load.clients) {
    throw UsageError("--in-flight: each of the " + options.clients +
                     " clients has at least one call under way");
  }
  load.auctions = readCount("--auctions", options.auctions, 1, 1'000'000);
  load.bidders = readCount("--bidders", options.bidders, 1, 1'000'000);
  load.batch = readCount("--batch", options.batch, 1, 4096);
  // The servers need the other cores, if there are any.
  auto cores = std::max(1u, std::thread::hardware_concurrency());
  load.threads = std::min(load.clients, std::max(1u, cores / 2));
  if (!options.threads.empty()) {
    load.threads = readCount("--threads", options.threads, 1, std::min(load.clients, 1024u));
  }
  readMix(options.mix, load);
  if (!options.duration.empty() && !options.bids.empty()) {
    throw UsageError("--duration and --bids say both how long it takes: give one of them");
  }
  if (!options.duration.empty()) load.duration = readDuration("--duration", options.duration);
  if (!options.bids.empty()) {
    load.bids =
        static_cast<std::uint64_t>(readNumber("--bids", options.bids, 1, 1'000'000'000'000));
    if (load.bidShare == 0) throw UsageError("--bids: there are none in the mix " + options.mix);
  }
  load.warmUp = options.warmUp == "0" ? 0 * kj::SECONDS : readDuration("--warmup", options.warmUp);
  if (!options.rate.empty()) {
    double share = double(load.bidShare) / double(load.bidShare + load.resultShare);
    if (share == 0) throw UsageError("--rate: there are no bids in the mix " + options.mix);
    load.callsPerSecond = readRate(options.rate) / load.batch / share;
  }
}

void readChain(const BenchOptions& options, BenchPlan& plan) {
  for (auto& text: options.kills) plan.kills.push_back(readKill(text));
  if (options.nodes.empty()) {
    auto needs = [](bool given, const char* option) {
      if (!given) return;
      throw UsageError(std::string(option) + ": needs a chain of its own: give --nodes");
    };
    needs(!options.kills.empty(), "--kill");
    needs(!options.spares.empty(), "--spares");
    needs(!options.directory.empty(), "--dir");
    return;
  }
  LocalChain::Plan chain;
  chain.replicas = readCount("--nodes", options.nodes, 1, 32);
  auto spares = std::count_if(plan.kills.begin(), plan.kills.end(),
                              [](const Kill& kill) { return kill.role != "master"; });
  if (!options.spares.empty()) spares = readNumber("--spares", options.spares, 0, 32);
  chain.nodes = chain.replicas + static_cast<unsigned>(spares);
  chain.directory = options.directory;
  chain.tellEnds = false;
  for (auto& kill: plan.kills) {
    if (plan.load.bids > 0 || kill.at < plan.load.duration) continue;
    throw UsageError("--kill: " + kill.role + ": it is over by then: give a longer --duration");
  }
  plan.chain = chain;
}

}  // namespace

BenchPlan readPlan(const BenchOptions& options) {
  BenchPlan plan;
  readLoad(options, plan.load);
  readChain(options, plan);
  plan.timeline = options.timeline;
  plan.check = !options.skipCheck;
  if (!options.settle.empty()) plan.settle = readDuration("--settle", options.settle);
  for (auto& pid: options.pids) {
    plan.pids.push_back(static_cast<int>(readNumber("--pids", pid, 1, 1 << 22)));
  }
  return plan;
}

}  // namespace gavel::client::cli
