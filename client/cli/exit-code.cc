#include "client/cli/exit-code.h"

namespace gavel::client::cli {
namespace {

ExitCode exitCodeOf(schema::Outcome::Exception::Reason reason) {
  using Reason = schema::Outcome::Exception::Reason;
  switch (reason) {
    case Reason::CLOSED:
    case Reason::NO_SUCH_AUCTION:
    case Reason::NOT_YOURS:
    case Reason::ALREADY_EXISTS:
      return NOT_POSSIBLE;
    case Reason::INVALID_AMOUNT:
    case Reason::INVALID_ARGUMENT:
    case Reason::REQUEST_MISMATCH:
    case Reason::REQUEST_FORGOTTEN:
      return USAGE;
    case Reason::UNAVAILABLE:
    case Reason::SESSION_EXPIRED:
    case Reason::TOO_MANY_INCOMPLETE:
      return UNAVAILABLE;
    case Reason::OUTCOME_UNKNOWN:
      return OUTCOME_UNKNOWN;
  }
  return INTERNAL_ERROR;  // A reason that only newer nodes know.
}

}  // namespace

ExitCode exitCodeOf(schema::Outcome::Reader outcome) {
  if (outcome.isSuccess()) return DONE;
  if (outcome.isFail()) return BID_FAILED;
  return exitCodeOf(outcome.getException().getReason());
}

ExitCode exitCodeOf(schema::QueryFailure::Reader failure) {
  switch (failure.getReason()) {
    case schema::QueryFailure::Reason::NO_SUCH_AUCTION:
      return NOT_POSSIBLE;
    case schema::QueryFailure::Reason::UNAVAILABLE:
      return UNAVAILABLE;
  }
  return INTERNAL_ERROR;
}

}  // namespace gavel::client::cli
