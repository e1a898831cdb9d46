#include <CLI/CLI.hpp>

#include "client/cli/operation.h"
#include "client/cli/views.h"

// `gavel chain clock`: the clocks of the nodes and chain time (R15), and the order that a clock is
// right though it is far above the newest entry.
namespace gavel::client::cli {
namespace {

using Result = schema::Operator::Result;

// The head's clock runs while the operator decides.  The order accepts this much (ns) above what
// was shown.
constexpr std::int64_t TIME_TO_DECIDE = 3600'000'000'000;

int print(Context& context, const Survey& survey) {
  auto& print = context.print;
  if (!survey.answered) {
    print.error("nobody answers: " + survey.problems);
    return UNAVAILABLE;
  }
  Table table({"NAME", "CLOCK", "CHAIN TIME", "AHEAD", "SKEW"});
  for (auto node: survey.nodes.get().getNodes()) {
    if (print.json) {
      JsonLine line;
      print.result(line.members(node));
      continue;
    }
    auto status = node.getStatus();
    if (!node.getConnected()) {
      table.add({printable(status.getName()), "not reached", "", "", ""});
      continue;
    }
    auto ahead = status.getChainTime() - status.getWallClock();
    table.add({printable(status.getName()), timeOf(status.getWallClock()),
               timeOf(status.getChainTime()), ahead > ALARMING_SKEW ? span(0, ahead) : "",
               survey.master ? std::to_string(node.getSkew() / 1'000'000) + "ms" : ""});
  }
  if (!print.json) print.result(table);
  for (auto& remark: remarksOnTime(survey)) print.note("! " + remark);
  return DONE;
}

kj::Promise<int> accept(Context& context, kj::Own<Survey> survey) {
  if (!survey->master) return reportNoMaster(context, *survey);
  std::int64_t limit = 0;
  KJ_IF_MAYBE (head, survey->head()) {
    limit = head->getStatus().getWallClock() + TIME_TO_DECIDE;
    context.print.note("the clock of " + printable(head->getStatus().getName()) + " says " +
                       timeOf(head->getStatus().getWallClock()) +
                       "; auctions that are due by then are closed");
  } else {
    context.print.error("the head is not reached, so that nothing was changed");
    return static_cast<int>(UNAVAILABLE);
  }
  Operation operation;
  operation.ask = [limit](schema::Operator::Client master) {
    auto request = master.acceptClockRequest();
    request.setLimit(limit);
    return request.send().then(
        [](auto&& response) { return Message<Result>(response.getResult()); });
  };
  operation.wait = false;  // The change is complete when the master answers.
  operation.deadline = context.timer().now() + context.settings.timeout;
  return operate(context, kj::mv(survey), operation);
}

}  // namespace

std::vector<std::string> remarksOnTime(const Survey& survey) {
  std::vector<std::string> remarks;
  KJ_IF_MAYBE (node, survey.head()) {
    auto status = node->getStatus();
    auto name = printable(status.getName());
    if (status.getLeap() > 0) {
      remarks.push_back(
          name + " takes no calls: its clock says " + timeOf(status.getWallClock()) + ", " +
          span(0, status.getLeap()) +
          " above the newest entry and what has passed since.  If the clock is wrong, set it "
          "right; if nothing ran for so long, 'gavel chain clock --accept' lets the chain go on");
    }
    auto ahead = status.getChainTime() - status.getWallClock();
    if (status.getChainTime() != 0 && ahead > ALARMING_SKEW) {
      remarks.push_back("chain time is " + span(0, ahead) + " ahead of the clock of " + name +
                        ": clocks were ahead once, or were set back.  Auctions last as long as "
                        "they should; times of the past are shown with that difference");
    }
  }
  return remarks;
}

void addClock(CLI::App& chain, Command& chosen) {
  auto accepts = std::make_shared<bool>(false);
  auto* command = chain.add_subcommand("clock", "The clocks of the nodes, and chain time");
  command->add_flag("--accept", *accepts,
                    "The head's clock is right, though it is far above the newest entry: go on");
  command->footer(
      "A head does not believe a clock that is more than --max-leap above the newest entry and\n"
      "what has passed since: it would end auctions too early.  Set the clocks right, and it goes\n"
      "on.  If they are right, as nothing ran for so long or a backup is as old, use --accept.\n"
      "Exit code of that: 0 done, 4 certainly not applied, 5 without an answer, 6 refused.");
  command->callback([accepts, &chosen]() {
    chosen.prepare = [accepts]() -> Run {
      return [accepts](Context& context) {
        return survey(context).then(
            [&context, accepts](kj::Own<Survey> survey) -> kj::Promise<int> {
              if (*accepts) return accept(context, kj::mv(survey));
              return print(context, *survey);
            });
      };
    };
  });
}

}  // namespace gavel::client::cli
