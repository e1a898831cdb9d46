#pragma once

#include <string>
#include <vector>

#include "client/cli/survey.h"

namespace gavel::client::cli {

// Whether the chain works.  Each serving member has to answer a query in time, for which the whole
// chain has to confirm (R10).  Then its neighbours have to answer a large message.  So all links
// between members are tried in both directions, with the sizes that bids need.
struct Confirmation {
  bool asked = false;
  // The name of each member that did not answer, and why.
  std::vector<std::string> failures;
};

// Asks all serving members of the survey's configuration at once.  Never fails.  `context` and
// `survey` must outlive the promise.
kj::Promise<Confirmation> confirm(Context& context, const Survey& survey, kj::Duration patience);

}  // namespace gavel::client::cli
