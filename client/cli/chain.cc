#include <CLI/CLI.hpp>
#include <kj/debug.h>

#include "client/cli/context.h"
#include "client/cli/survey.h"

namespace gavel::client::cli {
namespace {

using State = schema::Member::State;
using Role = schema::NodeStatus::Role;

// Above this a node's clock is alarming (R15).
constexpr std::int64_t ALARMING_SKEW = 500'000'000;

std::string roleOf(Role role) {
  switch (role) {
    case Role::WAITING:
      return "waiting";
    case Role::HEAD:
      return "head";
    case Role::MIDDLE:
      return "middle";
    case Role::TAIL:
      return "tail";
    case Role::SINGLE:
      return "head+tail";
    case Role::REFUSING:
      return "refusing";
  }
  return "unknown";
}

std::string stateOf(State state) {
  return state == State::SERVING ? "serving" : "syncing";
}

// "n1 > n2 > n3, epoch 4 (n0 lost: connection closed)".
std::string summary(schema::Configuration::Reader configuration) {
  std::string line;
  for (auto member: configuration.getMembers()) {
    line += (line.empty() ? "" : " > ") + printable(member.getName());
    if (member.getState() == State::SYNCING) line += " (syncing)";
  }
  line += ", epoch " + std::to_string(configuration.getEpoch());
  auto cause = printable(configuration.getCause());
  return cause.empty() ? line : line + " (" + cause + ")";
}

// The member that `status` speaks for; null if that process is none.
kj::Maybe<schema::Member::Reader> memberOf(
    const kj::Maybe<schema::Configuration::Reader>& configuration,
    schema::NodeStatus::Reader status) {
  KJ_IF_MAYBE (known, configuration) {
    for (auto member: known->getMembers()) {
      if (member.getIncarnation() == status.getIncarnation()) return member;
    }
  }
  return nullptr;
}

// What keeps the chain from being as good as it should be; one line each.
std::vector<std::string> shortcomings(const Survey& survey) {
  std::vector<std::string> result;
  if (survey.configuration == nullptr) result.push_back("no chain has formed");
  if (!survey.master) result.push_back("no master answers: " + survey.whyNoMaster);
  for (auto node: survey.nodes.get().getNodes()) {
    auto status = node.getStatus();
    std::string name = printable(status.getName());
    auto reason = printable(status.getReason());
    if (!node.getConnected()) {
      result.push_back(name + " is not reached" + (reason.empty() ? "" : ": " + reason));
      continue;
    }
    KJ_IF_MAYBE (member, memberOf(survey.configuration, status)) {
      if (member->getState() != State::SERVING) result.push_back(name + " is still syncing");
    } else {
      result.push_back(name + " is not in the chain" + (reason.empty() ? "" : ": " + reason));
    }
    if (std::abs(node.getSkew()) > ALARMING_SKEW) {
      result.push_back(name + "'s clock differs from the master's by " +
                       std::to_string(node.getSkew() / 1'000'000) + "ms");
    }
  }
  return result;
}

int printStatus(Context& context, const Survey& survey, bool check) {
  auto& print = context.print;
  if (!survey.answered) {
    print.error("nobody answers: " + survey.problems);
    return UNAVAILABLE;
  }
  auto missing = shortcomings(survey);
  if (print.json) {
    JsonLine line;
    line.boolean("healthy", missing.empty());
    if (survey.master) line.text("master", survey.masterAddress.c_str());
    KJ_IF_MAYBE (configuration, survey.configuration) {
      line.object("configuration", *configuration);
    }
    print.result(line.members(survey.nodes.get()));
  } else {
    KJ_IF_MAYBE (configuration, survey.configuration) {
      print.result(("chain " + summary(*configuration)).c_str());
    }
    Table table({"NAME", "ADDRESS", "ROLE", "STATE", "EPOCH", "LAST", "COMMIT", "SKEW", "HEARD"});
    for (auto node: survey.nodes.get().getNodes()) {
      auto status = node.getStatus();
      std::string state = "no member";
      KJ_IF_MAYBE (member, memberOf(survey.configuration, status)) {
        state = stateOf(member->getState());
      }
      bool heard = node.getConnected();
      table.add({printable(status.getName()), printable(status.getAddress()),
                 heard ? roleOf(status.getRole()) : "not reached", state,
                 std::to_string(status.getEpoch()), std::to_string(status.getLast()),
                 std::to_string(status.getCommit()),
                 survey.master ? std::to_string(node.getSkew() / 1'000'000) + "ms" : "",
                 survey.master ? span(0, node.getLastHeard()) + " ago" : ""});
    }
    print.result(table);
  }
  for (auto& line: missing) print.note(print.json ? line : "! " + line);
  return check && !missing.empty() ? DEGRADED : DONE;
}

int printMembers(Context& context, const Survey& survey) {
  auto& print = context.print;
  KJ_IF_MAYBE (configuration, survey.configuration) {
    if (!survey.master) print.note("no master answers: " + survey.whyNoMaster);
    Table table({"NAME", "ADDRESS", "STATE", "PLACE"});
    unsigned serving = 0;
    for (auto member: configuration->getMembers()) {
      serving += member.getState() == State::SERVING ? 1 : 0;
    }
    unsigned place = 0;
    for (auto member: configuration->getMembers()) {
      if (print.json) {
        JsonLine line;
        print.result(line.members(member));
        continue;
      }
      ++place;
      std::string role = place == 1 ? "head" : "middle";
      if (place == serving) role = place == 1 ? "head+tail" : "tail";
      if (member.getState() != State::SERVING) role = "";
      table.add({printable(member.getName()), printable(member.getAddress()),
                 stateOf(member.getState()), role});
    }
    if (!print.json) print.result(table);
    return DONE;
  }
  print.error("no chain was found: " + survey.problems);
  return UNAVAILABLE;
}

int printEpochs(Context& context, const Survey& survey) {
  auto& print = context.print;
  if (!survey.master) {
    print.note("no master answers: " + survey.whyNoMaster);
    if (survey.configuration != nullptr) {
      print.note("only the configuration in force is known, from the nodes:");
    }
  }
  if (survey.epochs.get().getRelinks().size() == 0 && !survey.master) {
    print.error("no chain was found: " + survey.problems);
    return UNAVAILABLE;
  }
  Table table({"EPOCH", "TIME", "CHAIN", "TOOK", "CAUSE"});
  for (auto relink: survey.epochs.get().getRelinks()) {
    if (print.json) {
      JsonLine line;
      print.result(line.members(relink));
      continue;
    }
    auto configuration = relink.getConfiguration();
    std::string chain;
    for (auto member: configuration.getMembers()) {
      chain += (chain.empty() ? "" : " > ") + printable(member.getName());
      if (member.getState() == State::SYNCING) chain += " (syncing)";
    }
    table.add({std::to_string(configuration.getEpoch()), timeOf(configuration.getStamp()), chain,
               relink.getDuration() == 0 ? "" : span(0, relink.getDuration()),
               printable(configuration.getCause())});
  }
  if (!print.json) print.result(table);
  return DONE;
}

void add(CLI::App& chain, Command& chosen, const std::string& name, const std::string& description,
         int (*show)(Context&, const Survey&)) {
  auto* command = chain.add_subcommand(name, description);
  command->callback([&chosen, show]() {
    chosen.prepare = [show]() -> Run {
      return [show](Context& context) {
        return survey(context).then(
            [&context, show](kj::Own<Survey> survey) { return show(context, *survey); });
      };
    };
  });
}

}  // namespace

void addChain(CLI::App& app, Command& chosen) {
  auto* chain = app.add_subcommand("chain", "Who is in the chain, and how it is");
  chain->require_subcommand(0, 1);

  auto check = std::make_shared<bool>(false);
  auto* status = chain->add_subcommand("status", "Every node, its role and how far it is");
  status->add_flag("--check", *check, "Exit with 7 if anything is not as it should be");
  status->callback([check, &chosen]() {
    chosen.prepare = [check]() -> Run {
      return [check = *check](Context& context) {
        return survey(context).then([&context, check](kj::Own<Survey> survey) {
          return printStatus(context, *survey, check);
        });
      };
    };
  });
  add(*chain, chosen, "members", "The configuration in force, head first", &printMembers);
  add(*chain, chosen, "epochs", "The latest configurations and what caused them", &printEpochs);
}

}  // namespace gavel::client::cli
