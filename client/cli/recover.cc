#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <kj/async-unix.h>
#include <kj/debug.h>

#include "client/cli/arguments.h"
#include "client/cli/operation.h"
#include "client/cli/terminal-line.h"
#include "client/cli/views.h"

// `gavel chain recover`: the one command that may lose acknowledged bids.  So it prints what is
// known of the loss, and asks.
namespace gavel::client::cli {
namespace {

using Result = schema::Operator::Result;

// The master's knowledge of the outage.
struct Outage {
  Message<schema::Configuration> configuration;  // The last that it stored.
  Message<schema::NodeEntry> node;               // The one to go on with.
  std::string loss;
  std::vector<std::string> notes;
};

// Joins names: "n1 and n3".
std::string listed(const std::vector<std::string>& names) {
  std::string result;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) result += i + 1 == names.size() ? " and " : ", ";
    result += names[i];
  }
  return result;
}

// The configuration that the master has stored.  Members may know an older one.
kj::Maybe<schema::Configuration::Reader> storedConfiguration(const Survey& survey) {
  auto relinks = survey.epochs.get().getRelinks();
  if (relinks.size() > 0) return relinks[relinks.size() - 1].getConfiguration();
  return survey.configuration;
}

// Describes the entries that `node` may lack.  Log ends of members are those last reported, so
// there may be more.
std::string lossOf(const Survey& survey, schema::Configuration::Reader stored,
                   schema::NodeStatus::Reader node) {
  std::vector<std::string> heard;
  std::vector<std::string> unheard;
  std::uint64_t furthest = 0;
  std::string holder;
  for (auto member: stored.getMembers()) {
    if (member.getStoreId() == node.getStoreId()) continue;
    auto name = printable(member.getName());
    bool known = false;
    for (auto entry: survey.nodes.get().getNodes()) {
      auto status = entry.getStatus();
      if (status.getStoreId() != member.getStoreId() || entry.getLastHeard() < 0) continue;
      known = true;
      auto last = std::max({status.getLast(), status.getDurable(), status.getCommit()});
      if (holder.empty() || last > furthest) {
        furthest = last;
        holder = name;
      }
    }
    (known ? heard : unheard).push_back(name);
  }
  auto end = node.getLast();
  std::string loss;
  if (!heard.empty() && furthest > end) {
    loss = "may lose " + std::to_string(furthest - end) +
           (furthest - end == 1 ? " entry: " : " entries: ") + std::to_string(end + 1) + " to " +
           std::to_string(furthest) + ", which " + holder +
           " was last heard to have; and all that were made after that";
  } else if (!heard.empty()) {
    loss = "ends no earlier than " + listed(heard) + (heard.size() == 1 ? " was" : " were") +
           " last heard to; may lose what was made after that";
  }
  if (!unheard.empty()) {
    loss +=
        (loss.empty() ? "" : "; ") +
        std::string("how many entries are lost cannot be known, as the master has not heard of ") +
        listed(unheard) + " since it was started";
  }
  if (loss.empty()) loss = "loses nothing that others hold: it was the only member";
  return loss;
}

Outage outageOf(const Survey& survey, schema::Configuration::Reader stored,
                schema::NodeEntry::Reader node) {
  Outage outage{Message<schema::Configuration>(stored),
                Message<schema::NodeEntry>(node),
                lossOf(survey, stored, node.getStatus()),
                {}};
  auto& notes = outage.notes;
  auto name = printable(node.getStatus().getName());
  notes.push_back("chain " + summary(stored));
  bool member = false;
  for (auto it: stored.getMembers()) {
    bool itself = it.getStoreId() == node.getStatus().getStoreId();
    bool runs = false;
    bool back = false;
    for (auto entry: survey.nodes.get().getNodes()) {
      auto status = entry.getStatus();
      if (!entry.getConnected() || status.getStoreId() != it.getStoreId()) continue;
      runs = runs || status.getIncarnation() == it.getIncarnation();
      back = true;
    }
    member = member || itself;
    notes.push_back("  " + printable(it.getName()) + " (" + stateOf(it.getState()) + "): " +
                    (runs   ? "RUNS as a member: there is no total outage"
                     : back ? "is back, restarted"
                            : "is not there"));
  }
  if (survey.nodes.get().getNotice().size() > 0) {
    notes.push_back("the master: " + printable(survey.nodes.get().getNotice()));
  }
  auto status = node.getStatus();
  notes.push_back(name + " ends at entry " + std::to_string(status.getLast()) +
                  (member ? "" : ", and was no member of this chain"));
  if (status.getDamage().size() > 0)
    notes.push_back(name + " reports damage: " + printable(status.getDamage()));
  if (status.getUnsynced()) {
    notes.push_back(name + " runs with --sync=never: what it had not written out is lost as well");
  }
  if (node.getNote().size() > 0)
    notes.push_back("of " + name + " the master says: " + printable(node.getNote()));
  notes.push_back("To go on with " + name + " alone " + outage.loss + ".");
  return outage;
}

kj::Promise<bool> confirmed(Context& context, const std::string& node) {
  auto question = "Type the node's name, " + printable(node.c_str()) +
                  ", to do it, anything else to leave all as it is: ";
  return askOnTerminal(context, question).then([node](std::string typed) { return typed == node; });
}

kj::Promise<int> recover(Context& context, kj::Own<Survey> survey, const std::string& node,
                         bool sure, bool wait) {
  if (!survey->master) return reportNoMaster(context, *survey);
  auto refuse = [&](const std::string& why) -> kj::Promise<int> {
    context.print.error(why);
    return static_cast<int>(NOT_POSSIBLE);
  };
  schema::Configuration::Reader stored;
  KJ_IF_MAYBE (known, storedConfiguration(*survey)) {
    stored = *known;
  } else {
    return refuse("no chain has ever formed here: there is nothing to recover");
  }
  schema::NodeEntry::Reader entry;
  KJ_IF_MAYBE (found, entryNamed(*survey, node)) {
    entry = *found;
  } else {
    std::set<std::string> known;
    for (auto other: survey->nodes.get().getNodes()) {
      known.insert(printable(other.getStatus().getName()));
    }
    return refuse("the master knows no node named " + printable(node.c_str()) + "; it knows " +
                  (known.empty() ? "none" : listed({known.begin(), known.end()})));
  }
  auto outage = outageOf(*survey, stored, entry);
  if (!entry.getConnected()) {
    return refuse(printable(node.c_str()) + " is not reached: start it first");
  }
  Operation operation;
  auto epoch = stored.getEpoch();
  operation.ask = [node, epoch](schema::Operator::Client master) {
    auto request = master.recoverRequest();
    request.setNode(node.c_str());
    request.setEpoch(epoch);
    return request.send().then(
        [](auto&& response) { return Message<Result>(response.getResult()); });
  };
  operation.complete = [node, epoch](schema::Configuration::Reader configuration) {
    return configuration.getEpoch() > epoch && serves(configuration, node);
  };
  operation.wait = wait;
  operation.node = node;

  auto proceed = [&context, operation](kj::Own<Survey> survey) mutable {
    operation.deadline = context.timer().now() + context.settings.timeout;
    return operate(context, kj::mv(survey), operation);
  };
  if (sure) {
    for (auto& note: outage.notes) context.print.note(note);
    return proceed(kj::mv(survey));
  }
  // The question makes no sense without these notes, so they are printed even with --quiet.
  for (auto& note: outage.notes) std::fprintf(stderr, "%s\n", note.c_str());
  return confirmed(context, node)
      .then([&context, proceed, survey = kj::mv(survey)](bool yes) mutable -> kj::Promise<int> {
        if (yes) return proceed(kj::mv(survey));
        context.print.error("not confirmed: nothing was changed");
        return static_cast<int>(USAGE);
      });
}

struct Options {
  std::string node;
  bool sure = false;
  bool wait = true;
};

}  // namespace

void addRecover(CLI::App& chain, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* command = chain.add_subcommand(
      "recover", "After an outage of all members: go on with one node alone.  May lose bids");
  command->add_option("NODE", options->node, "Name of the node")->required();
  command->add_flag("--yes", options->sure, "Do not ask, for scripts");
  command->add_flag("--wait,!--no-wait", options->wait,
                    "Return only when the node serves, or after --timeout; the default");
  command->footer(
      "The chain comes back by itself when a member of it does that holds everything: wait for\n"
      "those that 'gavel chain status' names, if they can be had back.  This command is for when\n"
      "they cannot.  It shows what may be lost and asks for the node's name.\n"
      "Exit code: 0 done, 2 not confirmed, 4 certainly not applied, 5 without an answer or not\n"
      "complete in time, 6 refused.");
  command->callback([options, &chosen]() {
    chosen.prepare = [options]() -> Run {
      readName("NODE", options->node);
      if (!options->sure && isatty(STDIN_FILENO) == 0) {
        throw UsageError(
            "this may lose bids, and standard input is no terminal where that could be confirmed: "
            "give --yes to do it all the same");
      }
      return [options](Context& context) {
        auto surveyed = options->wait ? surveyKnowing(context, options->node) : survey(context);
        return surveyed.then([&context, options](kj::Own<Survey> survey) {
          return recover(context, kj::mv(survey), options->node, options->sure, options->wait);
        });
      };
    };
  });
}

}  // namespace gavel::client::cli
