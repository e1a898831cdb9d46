#pragma once

#include <vector>

#include "client/bench/load.h"
#include "client/bench/report.h"
#include "client/cli/context.h"

namespace gavel::client::cli {

// Reads the histories of all auctions that appear in `told`, and compares them: see HistoryCheck.
// `told` is sorted by sortForCheck().  It, `plan` and `client` must outlive the promise.
kj::Promise<Verdict> verifyHistories(Client& client, const LoadPlan& plan,
                                     const std::vector<Told>& told);

}  // namespace gavel::client::cli
