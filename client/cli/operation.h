#pragma once

#include <functional>
#include <string>

#include "client/cli/context.h"
#include "client/cli/survey.h"
#include "schema/master.capnp.h"

// What operators tell a master, and how it comes out.
namespace gavel::client::cli {

// A change that a master is asked for.
struct Operation {
  // Makes the call.
  using Ask =
      std::function<kj::Promise<Message<schema::Operator::Result>>(schema::Operator::Client)>;
  // Whether the change that was decided is complete in this configuration.
  using Complete = std::function<bool(schema::Configuration::Reader)>;

  Ask ask;
  Complete complete;
  // Returns only once it is complete, or at the deadline.
  bool wait = true;
  // For that, and for the call.
  kj::TimePoint deadline = kj::origin<kj::TimePoint>();
  // The node that it is about, for saying why it is not complete.
  std::string node;
};

// Asks the master that `survey` has found, waits, and prints what came of it.  Gives the exit code:
// DONE, NOT_POSSIBLE if the master refused, UNAVAILABLE if it was certainly not asked, and
// OUTCOME_UNKNOWN if it may have been, or if the change was not complete in time.  The master
// carries out what it has decided, whether it is waited for or not.
kj::Promise<int> operate(Context& context, kj::Own<Survey> survey, Operation operation);

// Tells the user that no master was found, and gives the exit code.
int reportNoMaster(Context& context, const Survey& survey);

// Whether `name` serves in `configuration`.
bool serves(schema::Configuration::Reader configuration, const std::string& name);
// Whether it is in it at all.
bool isMember(schema::Configuration::Reader configuration, const std::string& name);

}  // namespace gavel::client::cli
