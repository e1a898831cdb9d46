#pragma once

#include <string>
#include <vector>

#include "client/cli/survey.h"

namespace gavel::client::cli {

// Whether the chain works, by asking it: each serving member has to answer a query within a time,
// for which the whole chain has to confirm (R10), and then to have a large message answered by each
// of its neighbours.  So the links between all members are tried as bids need them, in both
// directions, and not only whether somebody hears each of them.
struct Confirmation {
  bool asked = false;
  // Of each member that did not answer, its name and why.
  std::vector<std::string> failures;
};

// Asks all serving members of the survey's configuration at once.  Never fails.  `context` and
// `survey` must outlive the promise.
kj::Promise<Confirmation> confirm(Context& context, const Survey& survey, kj::Duration patience);

}  // namespace gavel::client::cli
