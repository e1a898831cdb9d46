#pragma once

#include "client/bench/plan.h"
#include "client/cli/context.h"

namespace gavel::client::cli {

// Starts a chain if the plan wants one, loads it, kills, reads the histories, and prints the
// results.  Resolves to the exit code: DONE, INTERNAL_ERROR if the chain has not kept what it
// reported, UNAVAILABLE if it does not serve, INTERRUPTED.  Ends in order when it is asked to stop.
kj::Promise<int> runBench(Context& context, BenchPlan plan);

}  // namespace gavel::client::cli
