#pragma once

#include <functional>
#include <string>

#include "client/cli/context.h"
#include "client/cli/survey.h"
#include "schema/master.capnp.h"

// Operators' orders to a master, and their results.
namespace gavel::client::cli {

// A change that a master is asked for.
struct Operation {
  // Makes the call.
  using Ask =
      std::function<kj::Promise<Message<schema::Operator::Result>>(schema::Operator::Client)>;
  // Whether the change is complete in this configuration.
  using Complete = std::function<bool(schema::Configuration::Reader)>;

  Ask ask;
  Complete complete;
  // Whether operate() resolves only once the change is complete, or at the deadline.
  bool wait = true;
  // The time limit for the call and for the wait.
  kj::TimePoint deadline = kj::origin<kj::TimePoint>();
  // The node that the change is about.  Remarks on it are printed if the change is not complete in
  // time.
  std::string node;
};

// Asks the master that `survey` has found, waits, and prints the result.  Resolves to the exit
// code: DONE; NOT_POSSIBLE if the master refused; UNAVAILABLE if the order certainly did not reach
// it; OUTCOME_UNKNOWN if the order may have reached it, or if the change was not complete in time.
// The master completes what it has decided, whether this process waits or not.
kj::Promise<int> operate(Context& context, kj::Own<Survey> survey, Operation operation);

// Reports that no master was found, and returns the exit code.
int reportNoMaster(Context& context, const Survey& survey);

// Whether `name` serves in `configuration`.
bool serves(schema::Configuration::Reader configuration, const std::string& name);
// Whether `name` is a member of it, serving or syncing.
bool isMember(schema::Configuration::Reader configuration, const std::string& name);

}  // namespace gavel::client::cli
