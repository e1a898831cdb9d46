#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <signal.h>
#include <thread>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <kj/debug.h>

#include "client/cli/arguments.h"
#include "client/cli/bench-load.h"
#include "client/cli/bench-report.h"
#include "client/cli/bench-verify.h"
#include "client/cli/context.h"
#include "client/cli/local-chain.h"
#include "client/cli/survey.h"

namespace gavel::client::cli {
namespace {

constexpr auto FORM_LIMIT = 30 * kj::SECONDS;
constexpr auto PROGRESS = 200 * kj::MILLISECONDS;
constexpr unsigned FIRST_PORT = 7500;  // Of a chain of its own; `gavel up` has those before.

struct Plan {
  LoadPlan load;
  std::optional<LocalChain::Plan> chain;  // One of its own.
  std::vector<Kill> kills;
  std::string timeline;
};

class Bench final: private kj::TaskSet::ErrorHandler {
public:
  Bench(Context& context, Plan plan): context(context), plan(kj::mv(plan)), tasks(*this) {
    terminal = isatty(STDERR_FILENO) != 0 && !context.print.quiet;
  }

  kj::Promise<int> run() {
    if (terminal) tasks.add(showProgress());
    tasks.add(context.stopRequested().then([this]() {
      interrupted = true;
      KJ_IF_MAYBE (each, load) {
        (*each)->stop();
      }
    }));
    return kj::evalNow([this]() { return startChain(); })
        .then([this]() { return measure(); })
        .then([this](Seen seen) { return verify(kj::mv(seen)); })
        .catch_([this](kj::Exception&& exception) -> int {
          clearProgress();
          context.print.error(reasonOf(exception).cStr());
          bool unavailable = exception.getType() == kj::Exception::Type::OVERLOADED;
          return interrupted ? INTERRUPTED : unavailable ? UNAVAILABLE : INTERNAL_ERROR;
        })
        .then([this](int code) {
          load = nullptr;
          return stopChain(code).then([code]() { return code; });
        });
  }

private:
  Context& context;
  Plan plan;
  kj::Maybe<kj::Own<LocalChain>> chain;
  kj::Maybe<kj::Own<BenchLoad>> load;
  bool interrupted = false;
  bool terminal = false;
  bool progressShown = false;
  bool running = false;
  std::uint64_t shownAccepted = 0;
  kj::TaskSet tasks;

  kj::Promise<void> startChain() {
    if (!plan.chain) {
      plan.load.servers = context.settings.servers;
      return kj::READY_NOW;
    }
    auto& own = *chain.emplace(kj::heap<LocalChain>(context, *plan.chain));
    plan.load.servers = own.addresses();
    return own.start()
        .then([this, &own]() {
          return own.waitForMembers(plan.chain->replicas, context.timer().now() + FORM_LIMIT);
        })
        .then([this, &own](unsigned serving) {
          if (serving >= plan.chain->replicas) return;
          kj::throwFatalException(
              KJ_EXCEPTION(OVERLOADED, "the chain has not formed", own.notice().c_str()));
        });
  }

  kj::Promise<Seen> measure() {
    auto& own = *load.emplace(kj::heap<BenchLoad>(kj::mv(plan.load)));
    return own.ready().then([this, &own]() {
      if (interrupted) kj::throwFatalException(KJ_EXCEPTION(FAILED, "interrupted"));
      running = true;
      auto measured = own.run();
      for (auto& each: plan.kills) tasks.add(killLater(each, own.countingSince()));
      return measured;
    });
  }

  kj::Promise<void> killLater(Kill& order, kj::TimePoint counting) {
    auto passed = kj::systemPreciseMonotonicClock().now() - counting;
    return context.timer()
        .afterDelay(kj::max(order.at - passed, 0 * kj::SECONDS))
        .then([this]() {
          auto& own = *KJ_ASSERT_NONNULL(chain);
          return survey(own.client().locator(), context.timer());
        })
        .then([this, &order, counting](kj::Own<Survey> survey) {
          auto& own = *KJ_ASSERT_NONNULL(chain);
          order.process = processFor(order.role, *survey);
          if (order.process.empty()) return;
          auto& victim = order.process == "master" ? own.child(0) : own.node(order.process);
          order.killedAt = (kj::systemPreciseMonotonicClock().now() - counting) / kj::NANOSECONDS;
          victim.signal(SIGKILL);
        });
  }

  // Empty if nobody plays that role.
  static std::string processFor(const std::string& role, const Survey& survey) {
    if (role == "master") return "master";
    std::vector<std::string> serving;
    KJ_IF_MAYBE (configuration, survey.configuration) {
      for (auto member: configuration->getMembers()) {
        if (member.getState() == schema::Member::State::SERVING) {
          serving.push_back(member.getName().cStr());
        }
      }
    }
    if (serving.empty() || (role == "middle" && serving.size() < 3)) return "";
    if (role == "head") return serving.front();
    return role == "tail" ? serving.back() : serving[serving.size() / 2];
  }

  kj::Promise<int> verify(Seen seen) {
    running = false;
    clearProgress();
    auto& own = *KJ_ASSERT_NONNULL(load);
    auto result =
        kj::heap<BenchResult>(BenchResult{own.plan(), kj::mv(seen), own.counted(), plan.kills, {}});
    sortForCheck(result->seen.told);
    auto client = context.clientFor(own.plan().servers);
    auto verified = verifyHistories(*client, own.plan(), result->seen.told);
    return verified.attach(kj::mv(client))
        .then([this, result = kj::mv(result)](Verdict verdict) mutable -> int {
          result->verdict = kj::mv(verdict);
          printResult(context, *result);
          writeTimeline(*result);
          return codeOf(*result);
        });
  }

  int codeOf(const BenchResult& result) {
    if (!result.seen.problems.empty() || !result.verdict.problems.empty()) return INTERNAL_ERROR;
    if (interrupted) return INTERRUPTED;
    if (result.plan.bidShare > 0 && result.seen.bids.empty()) {
      context.print.error("no bid was accepted");
      return UNAVAILABLE;
    }
    return DONE;
  }

  // printResult() has sorted the samples by time.
  void writeTimeline(const BenchResult& result) {
    if (plan.timeline.empty()) return;
    std::ofstream file(plan.timeline);
    file << timeline(result.seen.bids, result.counted / kj::NANOSECONDS);
    file.close();
    if (!file) {
      kj::throwFatalException(KJ_EXCEPTION(FAILED, "cannot write", plan.timeline.c_str()));
    }
  }

  // What nobody asked to keep goes, unless it is needed to find out what went wrong.
  kj::Promise<void> stopChain(int code) {
    KJ_IF_MAYBE (own, chain) {
      auto directory = (*own)->directory();
      return (*own)->stop().then([this, directory, code]() {
        if (!plan.chain->directory.empty()) return;
        if (code == INTERNAL_ERROR) {
          context.print.note("data and logs of the chain are in " + directory);
          return;
        }
        std::error_code ignored;
        std::filesystem::remove_all(directory, ignored);
      });
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> showProgress() {
    return context.timer().afterDelay(PROGRESS).then([this]() {
      KJ_IF_MAYBE (each, load) {
        auto& own = **each;
        if (running) {
          auto at = double((kj::systemPreciseMonotonicClock().now() - own.countingSince()) /
                           kj::MILLISECONDS) /
                    1000;
          auto accepted = own.accepted();
          auto perSecond =
              double(accepted - shownAccepted) / (double(PROGRESS / kj::MILLISECONDS) / 1000);
          shownAccepted = accepted;
          char text[128];
          snprintf(text, sizeof(text),
                   at < 0 ? "warming up: %.0f bids/s" : "%.0f bids/s after %.1f s", perSecond, at);
          show(text);
        } else if (own.created() < own.plan().auctions) {
          show("auctions created: " + std::to_string(own.created()) + " of " +
               std::to_string(own.plan().auctions));
        } else {
          show("reading the histories");
        }
      }
      return showProgress();
    });
  }

  void show(const std::string& text) {
    std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
    std::fflush(stderr);
    progressShown = true;
  }

  void clearProgress() {
    if (!progressShown) return;
    std::fprintf(stderr, "\r\x1b[K");
    std::fflush(stderr);
    progressShown = false;
  }

  void taskFailed(kj::Exception&& exception) override {
    context.print.error(reasonOf(exception).cStr());
  }
};

struct Options {
  std::string clients = "1";
  std::string threads;
  std::string inFlight = "64";
  std::string auctions = "64";
  std::string bidders = "64";
  std::string duration;
  std::string bids;
  std::string rate;
  std::string mix = "1:0";
  std::string batch = "1";
  std::string warmUp = "1s";
  std::vector<std::string> kills;
  std::string timeline;
  std::string nodes;
  std::string spares;
  std::string directory;
};

unsigned readCount(const std::string& what, const std::string& text, std::int64_t lowest,
                   std::int64_t highest) {
  return static_cast<unsigned>(readNumber(what, text, lowest, highest));
}

void readMix(const std::string& text, LoadPlan& load) {
  auto colon = text.find(':');
  if (colon == std::string::npos) {
    throw UsageError("--mix: \"" + text + "\" is not of the form BIDS:RESULTS, as in 9:1");
  }
  load.bidShare = readCount("--mix: the part before the colon", text.substr(0, colon), 0, 1000);
  load.resultShare = readCount("--mix: the part after the colon", text.substr(colon + 1), 0, 1000);
  if (load.bidShare + load.resultShare == 0) throw UsageError("--mix: 0:0 is nothing to do");
}

Kill readKill(const std::string& text) {
  auto at = text.find('@');
  Kill kill;
  kill.role = text.substr(0, at);
  bool known =
      kill.role == "head" || kill.role == "middle" || kill.role == "tail" || kill.role == "master";
  if (at == std::string::npos || !known) {
    throw UsageError("--kill: \"" + text +
                     "\" is not of the form ROLE@TIME, as in head@5s; roles are head, middle, "
                     "tail and master");
  }
  kill.at = readDuration("--kill: the time of " + kill.role, text.substr(at + 1));
  return kill;
}

double readRate(const std::string& text) {
  char* end = nullptr;
  double rate = std::strtod(text.c_str(), &end);
  bool whole = !text.empty() && *end == '\0';
  if (!whole || !(rate > 0) || rate > 1e7) {
    throw UsageError("--rate: \"" + text + "\" is not a number of bids a second, up to 10000000");
  }
  return rate;
}

void readLoad(const Options& options, LoadPlan& load) {
  load.clients = readCount("--clients", options.clients, 1, 10'000);
  load.inFlight = readCount("--in-flight", options.inFlight, 1, 1'000'000);
  if (load.inFlight < load.clients) {
    throw UsageError("--in-flight: each of the " + options.clients +
                     " clients has at least one call under way");
  }
  load.auctions = readCount("--auctions", options.auctions, 1, 1'000'000);
  load.bidders = readCount("--bidders", options.bidders, 1, 1'000'000);
  load.batch = readCount("--batch", options.batch, 1, 4096);
  // The servers need the other cores, if there are any.
  auto cores = std::max(1u, std::thread::hardware_concurrency());
  load.threads = std::min(load.clients, std::max(1u, cores / 2));
  if (!options.threads.empty()) {
    load.threads = readCount("--threads", options.threads, 1, std::min(load.clients, 1024u));
  }
  readMix(options.mix, load);
  if (!options.duration.empty() && !options.bids.empty()) {
    throw UsageError("--duration and --bids say both how long it takes: give one of them");
  }
  if (!options.duration.empty()) load.duration = readDuration("--duration", options.duration);
  if (!options.bids.empty()) {
    load.bids =
        static_cast<std::uint64_t>(readNumber("--bids", options.bids, 1, 1'000'000'000'000));
    if (load.bidShare == 0) throw UsageError("--bids: there are none in the mix " + options.mix);
  }
  load.warmUp = options.warmUp == "0" ? 0 * kj::SECONDS : readDuration("--warmup", options.warmUp);
  if (!options.rate.empty()) {
    double share = double(load.bidShare) / double(load.bidShare + load.resultShare);
    if (share == 0) throw UsageError("--rate: there are no bids in the mix " + options.mix);
    load.callsPerSecond = readRate(options.rate) / load.batch / share;
  }
}

void readChain(const Options& options, Plan& plan) {
  for (auto& text: options.kills) plan.kills.push_back(readKill(text));
  if (options.nodes.empty()) {
    auto needs = [](bool given, const char* option) {
      if (!given) return;
      throw UsageError(std::string(option) + ": needs a chain of its own: give --nodes");
    };
    needs(!options.kills.empty(), "--kill");
    needs(!options.spares.empty(), "--spares");
    needs(!options.directory.empty(), "--dir");
    return;
  }
  LocalChain::Plan chain;
  chain.replicas = readCount("--nodes", options.nodes, 1, 32);
  auto spares = std::count_if(plan.kills.begin(), plan.kills.end(),
                              [](const Kill& kill) { return kill.role != "master"; });
  if (!options.spares.empty()) spares = readNumber("--spares", options.spares, 0, 32);
  chain.nodes = chain.replicas + static_cast<unsigned>(spares);
  chain.directory = options.directory;
  chain.tellEnds = false;
  plan.chain = chain;
}

Run prepareBench(const Options& options) {
  auto plan = std::make_shared<Plan>();
  readLoad(options, plan->load);
  readChain(options, *plan);
  plan->timeline = options.timeline;
  return [plan](Context& context) {
    auto& load = plan->load;
    load.timeout = context.settings.timeout;
    load.credential = kj::heapArray(context.identity().credential);
    load.prefix = std::string("bench-") + kj::str(kj::hex(context.random.next())).cStr() + "-";
    if (plan->chain) plan->chain->port = freePorts(FIRST_PORT, plan->chain->nodes + 1);
    auto bench = kj::heap<Bench>(context, kj::mv(*plan));
    auto promise = bench->run();
    return promise.attach(kj::mv(bench));
  };
}

}  // namespace

void addBench(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* bench =
      app.add_subcommand("bench", "Measure a chain, and check that it keeps what it says");
  auto add = [&](const char* name, std::string& value, const char* what) {
    auto* option = bench->add_option(name, value, what);
    if (!value.empty()) option->capture_default_str();
  };
  add("--clients", options->clients, "Each with connections and a session of its own");
  add("--threads", options->threads, "That the clients share; default: half the cores");
  add("--in-flight", options->inFlight, "Calls under way, of all clients together");
  add("--auctions", options->auctions, "That are made, and bid on in turn");
  add("--bidders", options->bidders, "That bid in turn");
  add("--duration", options->duration, "How long it is measured; default: 10s");
  add("--bids", options->bids, "How many bids are measured, instead");
  add("--rate", options->rate,
      "Bids a second, made at their times whether or not others are answered; latency counts from "
      "there; default: an answer is followed by the next call");
  add("--mix", options->mix, "How many bids are followed by how many queries for the result");
  add("--batch", options->batch, "Bids in one call");
  add("--warmup", options->warmUp, "Before it is measured");
  add("--timeline", options->timeline, "File for the bids accepted in each 10 ms, as CSV");
  add("--nodes", options->nodes, "Start a chain of that length for it; default: use --server");
  add("--spares", options->spares, "Nodes besides; default: one for each node that is killed");
  add("--dir", options->directory,
      "Where that chain's data goes; default: a new directory, removed at the end");
  bench->add_option("--kill", options->kills,
                    "ROLE@TIME: end that process of its own chain by SIGKILL, that long after "
                    "the measurement began; may be given again");
  bench->footer(
      "Afterwards all histories are read: every bid that was accepted has to be there once, with\n"
      "its amount and bidder, and nothing else.  Exit code 1 if not.  The auctions stay until an\n"
      "hour after.  It keeps 40 bytes of each bid.");
  bench->callback([options, &chosen]() {
    chosen.prepare = [options]() { return prepareBench(*options); };
    chosen.stopsItself = true;
  });
}

}  // namespace gavel::client::cli
