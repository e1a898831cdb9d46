#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/bench/load.h"
#include "client/bench/report.h"
#include "client/cli/local-chain.h"

namespace gavel::client::cli {

// What `gavel bench` is to do.
struct BenchPlan {
  LoadPlan load;
  std::optional<LocalChain::Plan> chain;  // A chain to be started for the run.
  std::vector<Kill> kills;
  std::string timeline;                   // A file; empty: none.
  bool check = true;                      // Whether to read the histories afterwards.
  kj::Duration settle = 0 * kj::SECONDS;  // Time between making the auctions and bidding.
  std::vector<int> pids;                  // Processes whose CPU time is reported.
};

// The options as given; empty if not given.
struct BenchOptions {
  std::string clients = "1";
  std::string threads;
  std::string inFlight = "64";
  std::string auctions = "64";
  std::string bidders = "64";
  std::string duration;
  std::string bids;
  std::string rate;
  std::string mix = "1:0";
  std::string batch = "1";
  std::string warmUp = "1s";
  std::vector<std::string> kills;
  std::string timeline;
  std::string nodes;
  std::string spares;
  std::string directory;
  bool skipCheck = false;
  std::string settle;
  std::vector<std::string> pids;
};

// Throws UsageError.  What only a context knows is not filled in yet.
BenchPlan readPlan(const BenchOptions& options);

}  // namespace gavel::client::cli
