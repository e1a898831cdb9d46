#include <CLI/CLI.hpp>

#include "client/cli/arguments.h"
#include "client/cli/operation.h"

namespace gavel::client::cli {
namespace {

using Result = schema::Operator::Result;

struct Options {
  std::string node;
  bool replaces = false;
  std::string replacement;
  bool wait = true;
};

Message<Result> decisionOf(Result::Reader result) {
  return Message<Result>(result);
}

Operation addition(const Options& options) {
  Operation operation;
  operation.ask = [node = options.node](schema::Operator::Client master) {
    auto request = master.addRequest();
    request.setNode(node.c_str());
    return request.send().then([](auto&& response) { return decisionOf(response.getResult()); });
  };
  operation.complete = [node = options.node](schema::Configuration::Reader configuration) {
    return serves(configuration, node);
  };
  return operation;
}

Operation drain(const Options& options) {
  Operation operation;
  operation.ask = [node = options.node](schema::Operator::Client master) {
    auto request = master.drainRequest();
    request.setNode(node.c_str());
    return request.send().then([](auto&& response) { return decisionOf(response.getResult()); });
  };
  operation.complete = [node = options.node](schema::Configuration::Reader configuration) {
    return !isMember(configuration, node);
  };
  return operation;
}

Operation replacement(const Options& options) {
  Operation operation;
  operation.ask = [options](schema::Operator::Client master) {
    auto request = master.replaceRequest();
    request.setOld(options.node.c_str());
    request.setNew(options.replacement.c_str());
    return request.send().then([](auto&& response) { return decisionOf(response.getResult()); });
  };
  operation.complete = [options](schema::Configuration::Reader configuration) {
    return serves(configuration, options.replacement) && !isMember(configuration, options.node);
  };
  return operation;
}

Operation forgetting(const Options& options) {
  Operation operation;
  operation.ask = [node = options.node](schema::Operator::Client master) {
    auto request = master.forgetRequest();
    request.setNode(node.c_str());
    return request.send().then([](auto&& response) { return decisionOf(response.getResult()); });
  };
  operation.complete = [](schema::Configuration::Reader) { return true; };
  return operation;
}

// Defines a command whose arguments are in `options`.  `joins`: its node may have been started just
// before.
void define(CLI::App& command, Command& chosen, std::shared_ptr<Options> options,
            Operation (*make)(const Options&), bool joins) {
  if (options->wait) {
    command.add_flag("--wait,!--no-wait", options->wait,
                     "Return only when the change is complete, or after --timeout; the default");
  }
  command.footer(
      "A master must be among the addresses of --server.  Exit code: 0 done, 4 certainly not\n"
      "applied, 5 not complete in time (it goes on), or without an answer, 6 refused.");
  command.callback([options, make, joins, &chosen]() {
    chosen.prepare = [options, make, joins]() -> Run {
      readName(options->replaces ? "OLD" : "NODE", options->node);
      if (options->replaces) readName("NEW", options->replacement);
      if (options->node == options->replacement) {
        throw UsageError("NEW: is the same node as OLD, " + options->node);
      }
      auto operation = make(*options);
      operation.wait = options->wait;
      operation.node = options->replaces ? options->replacement : options->node;
      return [operation, joins](Context& context) mutable {
        operation.deadline = context.timer().now() + context.settings.timeout;
        bool awaited = joins && operation.wait;
        auto surveyed = awaited ? surveyKnowing(context, operation.node) : survey(context);
        return surveyed.then([&context, operation](kj::Own<Survey> survey) {
          return operate(context, kj::mv(survey), operation);
        });
      };
    };
  });
}

}  // namespace

void addOperate(CLI::App& chain, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* command = chain.add_subcommand("add", "Let a registered node join the chain");
  command->add_option("NODE", options->node, "Name of the node")->required();
  define(*command, chosen, options, &addition, true);

  options = std::make_shared<Options>();
  command = chain.add_subcommand("drain", "Take a node out of the chain, and keep it out");
  command->add_option("NODE", options->node, "Name of the node")->required();
  define(*command, chosen, options, &drain, false);

  options = std::make_shared<Options>();
  command = chain.add_subcommand("forget", "Of a node that is gone for good: show it no more");
  command->add_option("NODE", options->node, "Name of the node")->required();
  options->wait = false;  // There is nothing to wait for.
  define(*command, chosen, options, &forgetting, false);

  options = std::make_shared<Options>();
  command = chain.add_subcommand("replace", "Let a node join, then take another one out");
  options->replaces = true;
  command->add_option("OLD", options->node, "Name of the node that is to go")->required();
  command->add_option("NEW", options->replacement, "Name of the node that is to come")->required();
  define(*command, chosen, options, &replacement, true);
}

}  // namespace gavel::client::cli
