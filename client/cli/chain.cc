#include <set>
#include <sstream>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <kj/debug.h>

#include "client/cli/arguments.h"
#include "client/cli/confirmation.h"
#include "client/cli/context.h"
#include "client/cli/survey.h"
#include "client/cli/views.h"

namespace gavel::client::cli {
namespace {

using State = schema::Member::State;

constexpr std::int64_t MOST_MEMBERS = 1'000;

constexpr auto LOOK_AGAIN = 100 * kj::MILLISECONDS;
// Longer than two seconds, after which members give up by themselves.
constexpr kj::Duration LONGEST_LOOK = 3 * kj::SECONDS;

// Remarks on the nodes, one line each.
struct Remarks {
  // Reasons why the chain does not serve.
  std::vector<std::string> outage;
  // Reasons why the chain serves, but not as well as it should.
  std::vector<std::string> shortcomings;
  // Nodes outside of the chain that should be members or spares.
  std::vector<std::string> missing;
  // What is right but may surprise, such as a spare that waits.
  std::vector<std::string> facts;

  // Whether the chain is well, apart from nodes that it does not need.
  bool chainIsWell() const { return outage.empty() && shortcomings.empty(); }
  bool allIsWell() const { return chainIsWell() && missing.empty(); }
};

// Members can be refused too: the master then refuses the process that is to take their place.
bool isRefused(schema::NodeEntry::Reader node) {
  return !node.getConnected() && node.getNote().startsWith("refused: ");
}

// Adds a remark on a node that is no member: what the master says of it, or else what it says
// itself.
void remarkOutsider(Remarks& remarks, schema::NodeEntry::Reader node) {
  using Standing = schema::NodeEntry::Standing;
  auto status = node.getStatus();
  auto note = printable(node.getNote());
  auto reason = printable(status.getReason());
  auto line = printable(status.getName());
  if (isRefused(node)) {
    line += " is " + note;
  } else {
    line += node.getConnected() ? " is not in the chain" : " is not reached";
    if (!note.empty()) line += ": " + note;
  }
  auto standing = node.getStanding();
  bool sound = standing == Standing::SPARE || standing == Standing::DRAINED;
  // A spare only says that it waits, and what a process said that has ended is out of date.
  bool heed = !sound && node.getConnected() && !reason.empty() && reason != note;
  if (heed) line += (note.empty() ? ": " : "; it says: ") + reason;
  (sound ? remarks.facts : remarks.missing).push_back(line);
}

// The members that should serve.
struct Wanted {
  std::size_t least = 1;
  std::vector<std::string> names;
};

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (auto& item: items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

Remarks remarksOn(const Survey& survey, const Confirmation& confirmation, const Wanted& wanted) {
  Remarks remarks;
  auto& result = remarks.shortcomings;
  std::set<std::string> serving;
  if (survey.configuration == nullptr) remarks.outage.push_back("no chain has formed");
  if (!confirmation.failures.empty()) {
    remarks.outage.push_back("the chain does not confirm: no answer to a query by " +
                             listed(confirmation.failures));
  }
  if (!survey.master) result.push_back("no master answers: " + survey.whyNoMaster);
  for (auto node: survey.nodes.get().getNodes()) {
    auto status = node.getStatus();
    std::string name = printable(status.getName());
    KJ_IF_MAYBE (member, survey.memberOf(status)) {
      auto why = printable(node.getNote());
      if (why.empty()) why = printable(status.getReason());
      if (!node.getConnected()) {
        result.push_back(name + (isRefused(node) ? " is " + why
                                 : why.empty()   ? " is not reached"
                                                 : " is not reached: " + why));
      } else if (member->getState() != State::SERVING) {
        result.push_back(name + " is still syncing");
      } else {
        serving.insert(status.getName().cStr());
      }
    } else {
      remarkOutsider(remarks, node);
    }
    if (!node.getConnected()) continue;
    if (status.getDamage().size() > 0) {
      result.push_back(name + " has found damage: " + printable(status.getDamage()));
    }
    if (std::abs(node.getSkew()) > ALARMING_SKEW) {
      result.push_back(name + "'s clock differs from the master's by " +
                       std::to_string(node.getSkew() / 1'000'000) + "ms");
    }
  }
  for (auto& remark: remarksOnTime(survey)) result.push_back(remark);
  // The master's notice also names the links that do not work now.
  for (auto link: survey.nodes.get().getLinks()) {
    auto line = printable(link.getA()) + " and " + printable(link.getB()) +
                (link.getDead() ? " were taken apart, as they could not talk to each other "
                                : " cannot talk to each other, for ") +
                span(0, link.getSince()) + (link.getDead() ? " ago" : "") + ": " +
                printable(link.getCause());
    (link.getDead() ? remarks.facts : result).push_back(line);
  }
  if (serving.size() < wanted.least) {
    result.push_back(std::to_string(serving.size()) + " of " + std::to_string(wanted.least) +
                     " members serve");
  }
  for (auto& name: wanted.names) {
    if (serving.count(name) == 0) result.push_back(printable(name.c_str()) + " does not serve");
  }
  return remarks;
}

bool hasNotice(const Survey& survey) {
  return survey.nodes.get().getNotice().size() > 0;
}

// A member that has not adopted its configuration yet reports another role.
std::string placeNameOf(const Survey& survey, schema::NodeStatus::Reader status) {
  bool adopts =
      status.getRole() == schema::NodeStatus::Role::WAITING && survey.memberOf(status) != nullptr;
  return adopts ? "adopting" : roleOf(status.getRole());
}

// The highest index in the logs of the members that answered.
std::uint64_t logEnd(const Survey& survey) {
  std::uint64_t end = 0;
  for (auto node: survey.nodes.get().getNodes()) {
    if (survey.memberOf(node.getStatus()) != nullptr)
      end = std::max(end, node.getStatus().getLast());
  }
  return end;
}

// The age of `configuration`, by the clocks of the nodes that answered.
std::string ageOf(const Survey& survey, schema::Configuration::Reader configuration) {
  std::int64_t now = 0;
  for (auto node: survey.nodes.get().getNodes()) {
    if (node.getConnected()) now = std::max(now, node.getStatus().getWallClock());
  }
  if (now <= configuration.getStamp()) return "";
  return ", " + span(configuration.getStamp(), now) + " ago";
}

// The place in the chain; that of the head is 1.
unsigned placeOf(const Survey& survey, schema::NodeStatus::Reader status) {
  unsigned place = 1;
  KJ_IF_MAYBE (configuration, survey.configuration) {
    for (auto member: configuration->getMembers()) {
      if (member.getIncarnation() == status.getIncarnation()) return place;
      ++place;
    }
  }
  return 0;
}

int exitCodeOf(const Survey& survey, const Remarks& remarks) {
  if (!remarks.outage.empty()) return NOT_SERVING;
  return remarks.allIsWell() && !hasNotice(survey) ? DONE : DEGRADED;
}

int printStatus(Context& context, const Survey& survey, const Confirmation& confirmation,
                bool check, const Wanted& wanted) {
  auto& print = context.print;
  if (!survey.answered) {
    print.error("nobody answers: " + survey.problems);
    return UNAVAILABLE;
  }
  auto remarks = remarksOn(survey, confirmation, wanted);
  auto notice = printable(survey.nodes.get().getNotice());
  int code = exitCodeOf(survey, remarks);
  if (print.json) {
    JsonLine line;
    line.boolean("healthy", code == DONE);
    if (confirmation.asked) line.boolean("confirmed", confirmation.failures.empty());
    if (survey.master) line.text("master", survey.masterAddress.c_str());
    KJ_IF_MAYBE (configuration, survey.configuration) {
      line.object("configuration", *configuration);
    }
    print.result(line.members(survey.nodes.get()));
  } else {
    KJ_IF_MAYBE (configuration, survey.configuration) {
      print.result(("chain " + summary(*configuration) + ageOf(survey, *configuration)).c_str());
    }
    if (!notice.empty()) print.result(print.painted(Paint::alarm, "notice: " + notice).c_str());
    Table table({"#", "NAME", "ADDRESS", "ROLE", "STATE", "LAST", "DURABLE", "COMMIT", "APPLIED",
                 "LAG", "SKEW", "HEARD"});
    auto end = logEnd(survey);
    for (auto node: survey.nodes.get().getNodes()) {
      auto status = node.getStatus();
      std::string place, lag;
      std::string state = "no member";
      KJ_IF_MAYBE (member, survey.memberOf(status)) {
        state = stateOf(member->getState());
        place = std::to_string(placeOf(survey, status));
        lag = std::to_string(end - std::min(end, status.getDurable()));
      }
      bool heard = node.getConnected();
      table.add({place, printable(status.getName()), printable(status.getAddress()),
                 heard ? placeNameOf(survey, status) : "not reached", state,
                 std::to_string(status.getLast()), std::to_string(status.getDurable()),
                 std::to_string(status.getCommit()), std::to_string(status.getApplied()), lag,
                 survey.master ? std::to_string(node.getSkew() / 1'000'000) + "ms" : "",
                 survey.master ? span(0, node.getLastHeard()) + " ago" : ""});
    }
    print.result(table);
  }
  for (auto* lines: {&remarks.outage, &remarks.shortcomings, &remarks.missing}) {
    for (auto& line: *lines) print.note(print.json ? line : "! " + line);
  }
  for (auto& line: remarks.facts) print.note(line);
  return check ? code : static_cast<int>(DONE);
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
    table.add({std::to_string(configuration.getEpoch()), timeOf(configuration.getStamp()),
               chainOf(configuration),
               relink.getDuration() == 0 ? "" : span(0, relink.getDuration()),
               printable(configuration.getCause())});
  }
  if (!print.json) print.result(table);
  return DONE;
}

struct StatusOptions {
  bool check = false;
  bool wait = false;
  bool watch = false;
  std::string serving = "1";
};

Wanted readWanted(const std::string& text) {
  Wanted wanted;
  if (text.find_first_not_of("0123456789") == std::string::npos) {
    wanted.least = static_cast<std::size_t>(readNumber("--serving", text, 1, MOST_MEMBERS));
    return wanted;
  }
  std::istringstream list(text);
  for (std::string name; std::getline(list, name, ',');) {
    wanted.names.push_back(readName("--serving", name));
  }
  return wanted;
}

struct Look {
  kj::Own<Survey> survey;
  Confirmation confirmation;
};

// Looks at everything once.  Asks the chain to confirm if --check or --wait is given.
kj::Promise<Look> look(Context& context, const StatusOptions& options, kj::Duration patience) {
  bool judged = options.check || options.wait;
  return survey(context).then(
      [&context, judged, patience](kj::Own<Survey> survey) -> kj::Promise<Look> {
        if (!judged) return Look{kj::mv(survey), {}};
        auto confirmed = confirm(context, *survey, patience);
        return confirmed.then([survey = kj::mv(survey)](Confirmation confirmation) mutable {
          return Look{kj::mv(survey), std::move(confirmation)};
        });
      });
}

kj::Promise<int> watchStatus(Context& context, const StatusOptions& options, const Wanted& wanted) {
  return look(context, options, context.settings.timeout)
      .then([&context, options, wanted](Look look) {
        // Clears the screen, as top(1) does.
        constexpr const char CLEAR[] = "\033[H\033[2J";
        if (!context.print.json && isatty(STDOUT_FILENO)) std::fputs(CLEAR, stdout);
        printStatus(context, *look.survey, look.confirmation, options.check, wanted);
        return context.timer().afterDelay(1 * kj::SECONDS);
      })
      .then([&context, options, wanted]() { return watchStatus(context, options, wanted); });
}

// Prints one look, or with --wait the first look at a chain that is well, at the latest at
// `deadline`.
kj::Promise<int> showStatus(Context& context, const StatusOptions& options, const Wanted& wanted,
                            kj::TimePoint deadline) {
  // With --wait, one look must not take all the time.
  auto patience =
      options.wait ? kj::min(context.settings.timeout, LONGEST_LOOK) : context.settings.timeout;
  return look(context, options, patience)
      .then([&context, options, wanted, deadline](Look look) -> kj::Promise<int> {
        auto remarks = remarksOn(*look.survey, look.confirmation, wanted);
        bool enough = remarks.chainIsWell() && !hasNotice(*look.survey);
        if (!options.wait || enough || context.timer().now() + LOOK_AGAIN >= deadline) {
          return printStatus(context, *look.survey, look.confirmation, options.check, wanted);
        }
        return context.timer().afterDelay(LOOK_AGAIN).then([&context, options, wanted, deadline]() {
          return showStatus(context, options, wanted, deadline);
        });
      });
}

void addStatus(CLI::App& chain, Command& chosen) {
  auto options = std::make_shared<StatusOptions>();
  auto* status = chain.add_subcommand("status", "Every node, its role and how far it is");
  status->add_flag(
      "--check", options->check,
      "Also ask the chain to confirm; exit with 8 if it does not, with 7 if anything else "
      "is not as it should be");
  status->add_flag("--wait", options->wait,
                   "First wait, for --timeout at most, until the chain is as it should be");
  status->add_flag("--watch", options->watch, "Again every second, until it is interrupted")
      ->excludes("--wait");
  status
      ->add_option(
          "--serving", options->serving,
          "How many members should serve, at least, or NAME[,NAME...] of those that should")
      ->capture_default_str();
  status->callback([options, &chosen]() {
    chosen.prepare = [options]() -> Run {
      auto wanted = readWanted(options->serving);
      return [options, wanted](Context& context) -> kj::Promise<int> {
        if (options->watch) return watchStatus(context, *options, wanted);
        auto deadline = context.timer().now() + context.settings.timeout;
        return showStatus(context, *options, wanted, deadline);
      };
    };
  });
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
  addStatus(*chain, chosen);
  add(*chain, chosen, "members", "The configuration in force, head first", &printMembers);
  add(*chain, chosen, "epochs", "The latest configurations and what caused them", &printEpochs);
  addOperate(*chain, chosen);
  addRecover(*chain, chosen);
  addClock(*chain, chosen);
  addBackup(*chain, chosen);
}

}  // namespace gavel::client::cli
