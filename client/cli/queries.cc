#include <CLI/CLI.hpp>

#include "client/cli/arguments.h"
#include "client/cli/context.h"
#include "client/cli/csv.h"
#include "client/cli/views.h"

namespace gavel::client::cli {
namespace {

constexpr std::uint32_t PAGE = 1000;

// `--wait` looks at least this often, since the owner may end an auction early.
constexpr auto LONGEST_SLEEP = 1 * kj::SECONDS;
constexpr auto SHORTEST_SLEEP = 20 * kj::MILLISECONDS;

// ---------------------------------------------------------------------------------------------------
// result

int show(Context& context, const Answer& answer) {
  if (answer.get().isFailure()) return report(context, answer.get().getFailure());
  if (context.print.json) {
    JsonLine line;
    context.print.result(line.members(answer.get()));
  } else {
    context.print.result(summary(context.print, answer.get().getAuction()).c_str());
  }
  return DONE;
}

// Answers once the auction is over.  It waits through outages, because the answer is still there
// afterwards.  It does not do so for a single node: that may never come back, and others have the
// answer.
class Waiting {
public:
  Waiting(Context& context, const std::string& auction, const std::string& at)
      : context(context), auction(auction), at(at) {}

  kj::Promise<int> run() {
    return context.client().result(auction.c_str(), at.c_str()).then([this](Answer answer) {
      auto read = answer.get();
      if (read.isFailure()) {
        if (exitCodeOf(read.getFailure()) != UNAVAILABLE || !at.empty()) {
          return kj::Promise<int>(show(context, answer));
        }
        if (!saidUnavailable) {
          context.print.note(std::string("still waiting: ") +
                             printable(read.getFailure().getDetail()));
        }
        saidUnavailable = true;
        return sleep(LONGEST_SLEEP);
      }
      if (!read.getAuction().getState().isOpen()) return kj::Promise<int>(show(context, answer));
      saidUnavailable = false;
      auto left = (read.getAuction().getDeadline() - read.getAuction().getNow()) * kj::NANOSECONDS;
      return sleep(kj::max(SHORTEST_SLEEP, kj::min(LONGEST_SLEEP, left)));
    });
  }

private:
  Context& context;
  std::string auction;
  std::string at;
  bool saidUnavailable = false;

  kj::Promise<int> sleep(kj::Duration time) {
    return context.timer().afterDelay(time).then([this]() { return run(); });
  }
};

void addResult(CLI::App& app, Command& chosen, const std::string& name, bool hidden) {
  struct Options {
    std::string auction = "default";
    std::string at;
    bool wait = false;
  };
  auto options = std::make_shared<Options>();
  auto* result = app.add_subcommand(name, "Who won an auction, or who leads it");
  if (hidden) result->group("");
  result->add_option("-a,--auction", options->auction, "Name of the auction")
      ->capture_default_str();
  addAt(*result, options->at);
  result->add_flag("--wait", options->wait, "Answer when the auction is over");
  result->callback([options, &chosen]() {
    chosen.prepare = [options]() -> Run {
      auto auction = readName("--auction", options->auction);
      auto at = options->at;
      if (options->wait) {
        return [auction, at](Context& context) {
          auto waiting = kj::heap<Waiting>(context, auction, at);
          auto promise = waiting->run();
          return promise.attach(kj::mv(waiting));
        };
      }
      return [auction, at](Context& context) {
        return context.client().result(auction.c_str(), at.c_str()).then([&context](Answer answer) {
          return show(context, answer);
        });
      };
    };
  });
}

// ---------------------------------------------------------------------------------------------------
// history

class History {
public:
  struct Options {
    std::string auction = "default";
    std::string at;
    std::string from = "1";
    std::string bidder;
    bool csv = false;
  };

  History(Context& context, const Options& options)
      : context(context),
        options(options),
        table({"VERSION", "TIME", "WHAT", "WHO", "AMOUNT", "DEADLINE"}) {}

  kj::Promise<int> run(std::uint64_t from) {
    if (options.csv) {
      context.print.result("auction,version,time,stamp_ns,what,who,amount,deadline,deadline_ns");
    }
    return next(from);
  }

private:
  Context& context;
  Options options;
  Table table;

  kj::Promise<int> next(std::uint64_t from) {
    return context.client()
        .history(options.auction.c_str(), from, PAGE, options.at.c_str())
        .then([this, from](HistoryPage page) -> kj::Promise<int> {
          if (page.get().hasFailure()) return report(context, page.get().getFailure());
          auto next = from;
          for (auto version: page.get().getVersions()) {
            add(version);
            next = version.getVersion() + 1;
          }
          if (page.get().getMore() && next > from) return this->next(next);
          if (!context.print.json && !options.csv) context.print.result(table);
          return DONE;
        });
  }

  void add(schema::Version::Reader version) {
    if (!options.bidder.empty() && (version.getKind() != schema::Version::Kind::BID ||
                                    version.getWho() != options.bidder.c_str())) {
      return;
    }
    if (options.csv) return addCsv(version);
    if (context.print.json) {
      JsonLine line;
      context.print.result(line.text("auction", options.auction.c_str()).members(version));
      return;
    }
    table.add({std::to_string(version.getVersion()), timeOf(version.getStamp()),
               kindOf(version.getKind()), printable(version.getWho()),
               version.getAmount() == 0 ? "" : std::to_string(version.getAmount()),
               timeOf(version.getDeadline())});
  }

  void addCsv(schema::Version::Reader version) {
    std::string line;
    for (auto& field:
         {options.auction, std::to_string(version.getVersion()), timeOf(version.getStamp()),
          std::to_string(version.getStamp()), kindOf(version.getKind()),
          std::string(version.getWho().cStr()), std::to_string(version.getAmount()),
          timeOf(version.getDeadline()), std::to_string(version.getDeadline())}) {
      line += (line.empty() ? "" : ",") + csvField(field);
    }
    context.print.result(line.c_str());
  }
};

void addHistory(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<History::Options>();
  auto* history = app.add_subcommand("history", "Every accepted change of an auction");
  history->add_option("-a,--auction", options->auction, "Name of the auction")
      ->capture_default_str();
  addAt(*history, options->at);
  history->add_option("--from", options->from, "First version to show")->capture_default_str();
  history->add_option("--bidder", options->bidder, "Only the accepted bids of this bidder");
  history->add_flag("--csv", options->csv, "As CSV, with a header line");
  history->callback([options, &chosen]() {
    chosen.prepare = [options]() -> Run {
      readName("--auction", options->auction);
      if (!options->bidder.empty()) readName("--bidder", options->bidder);
      auto from = readNumber("--from", options->from, 1, INT64_MAX);
      return [options, from](Context& context) {
        if (options->csv && context.print.json)
          throw UsageError("--csv: not together with -o json");
        auto history = kj::heap<History>(context, *options);
        auto promise = history->run(static_cast<std::uint64_t>(from));
        return promise.attach(kj::mv(history));
      };
    };
  });
}

}  // namespace

void addAt(CLI::App& query, std::string& node) {
  query
      .add_option("--at", node,
                  "Ask this serving node only, by its name or its HOST:PORT in the chain; "
                  "default: the tail, and others where that does not answer")
      ->check([](const std::string& text) {
        readName("--at", text);
        return std::string();
      });
}

void addQueries(CLI::App& app, Command& chosen) {
  addResult(app, chosen, "result", false);
  addResult(app, chosen, "query", true);
  addHistory(app, chosen);
}

}  // namespace gavel::client::cli
