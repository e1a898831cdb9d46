#include "client/cli/operation.h"

#include <kj/debug.h>

#include "client/cli/views.h"

namespace gavel::client::cli {
namespace {

using Result = schema::Operator::Result;
using Configuration = schema::Configuration;

constexpr auto LOOK_AGAIN = 50 * kj::MILLISECONDS;
// The time limit of one look.  A slower master is looked at again.
constexpr auto PATIENCE = 1 * kj::SECONDS;

class Running {
public:
  Running(Context& context, kj::Own<Survey> survey, Operation operation)
      : context(context),
        locator(context.client().locator()),
        deadline(operation.deadline),
        master(survey->masterAddress),
        operation(std::move(operation)) {}

  kj::Promise<int> run() {
    return connect().then([this](kj::Own<Peer> peer) { return ask(kj::mv(peer)); },
                          [this](kj::Exception&& exception) -> kj::Promise<int> {
                            context.print.error("the master at " + master +
                                                " is not reached, so that nothing was " +
                                                "changed: " + reasonOf(exception).cStr());
                            return static_cast<int>(UNAVAILABLE);
                          });
  }

private:
  Context& context;
  ChainLocator& locator;
  kj::TimePoint deadline;
  std::string master;
  Operation operation;
  kj::Maybe<Message<Result>> decision;
  kj::Maybe<Message<Configuration>> newest;
  std::string problem;  // Why the last look failed; empty if it did not.

  kj::Promise<kj::Own<Peer>> connect() { return locator.peer(master.c_str()); }

  kj::Promise<int> ask(kj::Own<Peer> peer) {
    auto asked =
        kj::evalNow([&]() { return operation.ask(peer->masterOperator()); }).attach(kj::mv(peer));
    return context.timer()
        .timeoutAt(deadline, kj::mv(asked))
        .then([this](Message<Result> result) { return decided(kj::mv(result)); },
              [this](kj::Exception&& exception) -> kj::Promise<int> {
                return unanswered(exception);
              });
  }

  int unanswered(const kj::Exception& exception) {
    std::string why = reasonOf(exception).cStr();
    if (exception.getType() == kj::Exception::Type::UNIMPLEMENTED) {
      context.print.error("the master at " + master + " does not know this command (" + why +
                          "): it is of an older version; nothing was changed");
      return UNAVAILABLE;
    }
    context.print.error("the master at " + master + " did not answer (" + why +
                        "), and may or may not have decided; look with 'gavel chain status', "
                        "then repeat the command");
    return OUTCOME_UNKNOWN;
  }

  kj::Promise<int> decided(Message<Result> result) {
    if (result.get().isRefused()) {
      if (context.print.json) {
        JsonLine line;
        context.print.result(line.members(result.get()));
      }
      context.print.error("refused: " + printable(result.get().getRefused()));
      return static_cast<int>(NOT_POSSIBLE);
    }
    auto told = printable(result.get().getDone());
    decision = kj::mv(result);
    if (!operation.wait) {
      if (context.print.json) {
        JsonLine line;
        context.print.result(line.members(KJ_ASSERT_NONNULL(decision).get()));
      } else {
        context.print.result(told.c_str());
      }
      return static_cast<int>(DONE);
    }
    // The answer is printed at once, as the rest may take long.
    if (!context.print.json) context.print.result(told.c_str());
    return await();
  }

  // Looks at the master's configuration until the change is complete.
  kj::Promise<int> await() {
    return look().then([this]() -> kj::Promise<int> {
      KJ_IF_MAYBE (configuration, newest) {
        if (operation.complete(configuration->get())) return finish();
      }
      if (context.timer().now() + LOOK_AGAIN >= deadline) return giveUp();
      return context.timer().afterDelay(LOOK_AGAIN).then([this]() { return await(); });
    });
  }

  kj::Promise<void> look() {
    auto limit = kj::min(deadline, context.timer().now() + PATIENCE);
    auto looked = connect().then([](kj::Own<Peer> peer) {
      auto response = peer->topology().configurationRequest().send();
      return response.attach(kj::mv(peer));
    });
    return context.timer()
        .timeoutAt(limit, kj::mv(looked))
        .then(
            [this](capnp::Response<schema::Topology::ConfigurationResults> response) {
              problem.clear();
              newest = Message<Configuration>(response.getConfiguration());
            },
            [this](kj::Exception&& exception) { problem = reasonOf(exception).cStr(); });
  }

  int finish() {
    print(true);
    return DONE;
  }

  void print(bool complete) {
    if (!context.print.json) {
      KJ_IF_MAYBE (configuration, newest) {
        context.print.result(("chain " + summary(configuration->get())).c_str());
      }
      return;
    }
    JsonLine line;
    line.members(KJ_ASSERT_NONNULL(decision).get());
    line.boolean("complete", complete);
    KJ_IF_MAYBE (configuration, newest) {
      line.object("configuration", configuration->get());
    }
    context.print.result(line);
  }

  // The change goes on without this process.  The master may know what delays it.
  kj::Promise<int> giveUp() {
    print(false);
    auto text = "not complete after " + span(0, context.settings.timeout / kj::NANOSECONDS) +
                "; the master goes on with it: look with 'gavel chain status', wait longer with " +
                "--timeout";
    // A new survey, since the last look may have had too little time left.
    return survey(context).then([this, text](kj::Own<Survey> survey) -> int {
      bool silent = !survey->master && !problem.empty();
      context.print.error(silent ? text + " (the master at " + master + ": " + problem + ")"
                                 : text);
      for (auto node: survey->nodes.get().getNodes()) {
        if (operation.node != node.getStatus().getName().cStr() || node.getNote().size() == 0)
          continue;
        context.print.error(operation.node + ": " + printable(node.getNote()));
      }
      if (survey->nodes.get().getNotice().size() > 0) {
        context.print.error("the master: " + printable(survey->nodes.get().getNotice()));
      }
      return OUTCOME_UNKNOWN;
    });
  }
};

}  // namespace

kj::Promise<int> operate(Context& context, kj::Own<Survey> survey, Operation operation) {
  if (!survey->master) return reportNoMaster(context, *survey);
  auto running = kj::heap<Running>(context, kj::mv(survey), std::move(operation));
  auto promise = running->run();
  return promise.attach(kj::mv(running));
}

int reportNoMaster(Context& context, const Survey& survey) {
  auto problem = survey.problems.empty() ? survey.whyNoMaster : survey.problems;
  context.print.error(
      survey.answered
          ? "no master was found (" + survey.whyNoMaster +
                "): this is for a master to decide, and nodes do not know its address; name it " +
                "with --server"
          : "nobody answers: " + problem);
  return UNAVAILABLE;
}

bool serves(schema::Configuration::Reader configuration, const std::string& name) {
  for (auto member: configuration.getMembers()) {
    if (name == member.getName().cStr()) {
      return member.getState() == schema::Member::State::SERVING;
    }
  }
  return false;
}

bool isMember(schema::Configuration::Reader configuration, const std::string& name) {
  for (auto member: configuration.getMembers()) {
    if (name == member.getName().cStr()) return true;
  }
  return false;
}

}  // namespace gavel::client::cli
