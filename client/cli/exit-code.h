#pragma once

#include <stdexcept>

#include "schema/auction.capnp.h"

namespace gavel::client::cli {

// The exit codes, which scripts rely on and docs/cli.md documents.  They are never renumbered.
enum ExitCode : int {
  DONE = 0,
  INTERNAL_ERROR = 1,
  USAGE = 2,
  BID_FAILED = 3,
  UNAVAILABLE = 4,      // Certainly not applied.
  OUTCOME_UNKNOWN = 5,  // For operators' commands also: not complete in time.
  NOT_POSSIBLE = 6,     // No such auction, auction over, not permitted, or refused by a master.
  DEGRADED = 7,         // `chain status --check`: the chain serves, but not all is well.
  NOT_SERVING = 8,      // `chain status --check`: the chain does not serve.
  INTERRUPTED = 130,
};

ExitCode exitCodeOf(schema::Outcome::Reader outcome);
ExitCode exitCodeOf(schema::QueryFailure::Reader failure);

// The user asked for something that makes no sense.  what() names the argument and the problem.
class UsageError: public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

// Something of the environment is missing or broken (a file, an executable, a port).
class EnvironmentError: public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

}  // namespace gavel::client::cli
