#pragma once

#include "client/bench/plan.h"
#include "client/cli/context.h"

namespace gavel::client::cli {

// Starts a chain if the plan wants one, loads it, kills, reads the histories, and prints what came
// of it.  Comes to the exit code: DONE, INTERNAL_ERROR if the chain has not kept what it said,
// UNAVAILABLE if there was none, INTERRUPTED.  Ends in order when it is asked to stop.
kj::Promise<int> runBench(Context& context, BenchPlan plan);

}  // namespace gavel::client::cli
