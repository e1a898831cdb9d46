// gavel-master: the process that decides who is in the chain.

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <kj/async-io.h>
#include <kj/debug.h>

#include "base/clock.h"
#include "base/connection.h"
#include "base/duration.h"
#include "base/logging.h"
#include "base/manual-page.h"
#include "base/process.h"
#include "base/program-options.h"
#include "base/protection.h"
#include "base/random.h"
#include "base/remembering-network.h"
#include "base/server.h"
#include "base/service-manager.h"
#include "base/turn-meter.h"
#include "master/embedded-store.h"
#include "master/master.h"
#include "master/rebuilder.h"
#include "master/service.h"

namespace gavel::master {
namespace {

constexpr int USAGE = 2;
// How many files this process needs besides its connections: its store, probes, standard streams.
constexpr unsigned OTHER_FILES = 160;
// Below this, a heartbeat that the scheduler delays would cost a replica.
constexpr auto LEAST_SUSPECT_AFTER = 20 * kj::MILLISECONDS;
// Below this, a pair that is taken apart would be put together again at once.
constexpr auto LEAST_LINK_RETRY = 100 * kj::MILLISECONDS;
constexpr unsigned MOST_REPLICAS = 64;
// How many connections are for nodes, masters and operators only, at most.
constexpr unsigned MOST_RESERVED = 64;

struct Options {
  std::string listen = "127.0.0.1:7400";
  std::string data;
  Settings settings;
  bool rebuild = false;
  Rebuilder::Options rebuilding;
  LogFormat logFormat = LogFormat::text;
  LogLevel logLevel = LogLevel::info;
  ProtectionOptions protection;
};

void addDuration(CLI::App& app, const std::string& name, kj::Duration& target, kj::Duration least,
                 const std::string& description) {
  auto set = [&target, name, least](const std::string& text) {
    KJ_IF_MAYBE (exception,
                 kj::runCatchingExceptions([&]() { target = parseDuration(text.c_str()); })) {
      throw CLI::ValidationError(name, exception->getDescription().cStr());
    }
    if (target < least) {
      throw CLI::ValidationError(
          name,
          kj::str("expected at least ", formatDuration(least), ", got ", text.c_str()).cStr());
    }
  };
  app.add_option_function<std::string>(name, set, description)
      ->type_name("DURATION")
      ->default_str(formatDuration(target).cStr());
}

template <typename T>
void addChoice(CLI::App& app, const std::string& name, T& target,
               std::vector<std::pair<std::string, T>> choices, const std::string& description) {
  std::string names;
  std::string initial;
  for (auto& [choice, value]: choices) {
    names += (names.empty() ? "" : "|") + choice;
    if (value == target) initial = choice;
  }
  auto set = [&target, name, names, choices](const std::string& text) {
    for (auto& [choice, value]: choices) {
      if (choice != text) continue;
      target = value;
      return;
    }
    throw CLI::ValidationError(name, "expected " + names + ", got " + text);
  };
  app.add_option_function<std::string>(name, set, description)
      ->type_name(names)
      ->default_str(initial);
}

void define(CLI::App& app, Options& options) {
  app.description("Decides who is in the chain of a Gavel cluster, and watches over its nodes.");
  app.add_option("--listen", options.listen, "Where nodes and clients connect; port 0: a free one")
      ->type_name("HOST:PORT")
      ->check([](const std::string& text) -> std::string {
        return isHostPort(text.c_str()) ? "" : "expected HOST:PORT, got " + text;
      })
      ->capture_default_str();
  app.add_option("--data", options.data, "Directory for the configurations; made if missing")
      ->type_name("DIR")
      ->required();
  app.add_option("--replicas", options.settings.replicas, "Target length of the chain")
      ->check(CLI::Range(1u, MOST_REPLICAS).description(""))
      ->type_name("N")
      ->capture_default_str();
  addDuration(app, "--suspect-after", options.settings.suspectAfter, LEAST_SUSPECT_AFTER,
              "Take a node for lost after this long a silence");
  addDuration(app, "--max-skew", options.settings.maxSkew, 0 * kj::SECONDS,
              "Admit no node whose clock is further from this one's");
  addDuration(app, "--flap-delay", options.settings.flapDelay, 0 * kj::SECONDS,
              "Let a node that was lost twice soon after joining wait this long before it joins "
              "again, and twice as long each further time, up to 60 times; 0s: never");
  addDuration(app, "--outage-wait", options.settings.outageWait, 0 * kj::SECONDS,
              "After an outage of all members, wait this long for the others once one is back; and "
              "after a start, for members that do not answer before anybody is removed");
  app.add_option("--min-members", options.settings.minMembers,
                 "Take bids only while at least this many members serve, and tell no success that "
                 "fewer have stored; at most --replicas")
      ->check(CLI::Range(1u, MOST_REPLICAS).description(""))
      ->type_name("N")
      ->capture_default_str();
  addDuration(app, "--link-retry", options.settings.linkRetry, LEAST_LINK_RETRY,
              "Keep nodes apart this long that could not talk to each other, before it is tried "
              "again, and twice as long each further time, up to 60 times");
  auto* rebuild = app.add_flag(
      "--rebuild", options.rebuild,
      "Make the data of a master that is lost for good anew, in the empty directory --data, from "
      "what the nodes show and promise; then lead the chain");
  app.add_option("--node", options.rebuilding.nodes,
                 "With --rebuild: where nodes of the chain are; any one names the others")
      ->type_name("HOST:PORT")
      ->delimiter(',')
      ->check([](const std::string& text) -> std::string {
        return isHostPort(text.c_str()) ? "" : "expected HOST:PORT, got " + text;
      })
      ->needs(rebuild);
  app.add_option("--without", options.rebuilding.without,
                 "With --rebuild: give up these members, whose data is lost, and all that only "
                 "they had; the chain goes on from one of the others")
      ->type_name("NAME")
      ->delimiter(',')
      ->needs(rebuild);
  addChoice<LogFormat>(app, "--log-format", options.logFormat,
                       {{"text", LogFormat::text}, {"json", LogFormat::json}},
                       "How lines on standard error look");
  addChoice<LogLevel>(app, "--log-level", options.logLevel,
                      {{"debug", LogLevel::debug},
                       {"info", LogLevel::info},
                       {"warning", LogLevel::warning},
                       {"error", LogLevel::error}},
                      "The least important kind of line to log");
  declareProtection(app, options.protection);
}

// Returns how many connections there may be, so that they do not use up the files of the store.
unsigned boundConnections(unsigned wanted) {
  unsigned files = raiseFileLimit();
  unsigned possible = files > OTHER_FILES ? files - OTHER_FILES : 1;
  if (wanted <= possible) return wanted;
  logWarning("fewer connections than --max-connections: the limit of open files is too low",
             {{"files", files}, {"connections", possible}});
  return possible;
}

void sayRebuilt(const Document& document) {
  auto& current = document.current();
  logInfo("rebuilt: the store of the lost master is made anew",
          {{"epoch", current.epoch},
           {"reign", kj::str(kj::hex(current.reign))},
           {"members", current.describe()},
           {"cause", current.cause}});
  for (auto& each: whatIsForgotten())
    logWarning("forgotten with the lost master", {{"what", each}});
}

void run(const Options& options) {
  captureStopSignals();
  Server::Limits limits;
  limits.connections = boundConnections(options.protection.maxConnections);
  limits.reserved = std::min(MOST_RESERVED, limits.connections / 4);
  limits.idle = parseDuration(options.protection.idleTimeout.c_str());
  auto io = setUpEventLoop();
  auto& timer = io.provider->getTimer();
  Protection protection(options.protection, options.listen.c_str(), io.provider->getNetwork());
  RememberingNetwork network(protection.network(), timer);

  EmbeddedStore store(options.data.c_str());
  auto listener = listenOn(io.provider->getNetwork(), io.waitScope, options.listen.c_str());
  auto address = boundAddress(options.listen.c_str(), listener->getPort());
  RealClock clock;
  SystemRandom random;
  if (options.rebuild) {
    auto stop = onStopSignal(io.unixEventPort).then([](int signal) {
      logInfo("stopping, with nothing rebuilt", {{"signal", signal}});
      return false;
    });
    Rebuilder rebuilder(network, timer, clock, random, store, options.rebuilding);
    auto done = rebuilder.run().then([](Document&& document) {
      sayRebuilt(document);
      return true;
    });
    if (!done.exclusiveJoin(kj::mv(stop)).wait(io.waitScope)) return;
  }
  auto master =
      Master::open(timer, network, store, clock, random, options.settings).wait(io.waitScope);
  Server server(
      [&master](Access access) -> capnp::Capability::Client { return serve(*master, access); },
      timer, limits, protection.secrets(), protection.takeTls());

  std::printf("gavel-master ready on %s\n", address.cStr());
  std::fflush(stdout);
  tellReady();

  auto failure = master->failure().catch_([](kj::Exception&& exception) {
    // What is stored or decided differs from what this process assumes, so it must not go on.
    die("this master cannot go on", {{"error", exception.getDescription()}});
  });
  auto stop = onStopSignal(io.unixEventPort).then([](int signal) {
    logInfo("stopping", {{"signal", signal}});
    tellStopping();
  });
  TurnMeter turns(timer);  // Warns of long turns.
  server.listen(*listener)
      .exclusiveJoin(kj::mv(failure))
      .exclusiveJoin(kj::mv(stop))
      .wait(io.waitScope);
}

int start(int argc, char** argv) {
  Options options;
  options.protection.maxConnections = 1000;
  CLI::App app("", "gavel-master");
  define(app, options);
  declareConfiguration(app, "GAVEL_MASTER");
  addManualPage(app);
  try {
    parseConfigured(app, "GAVEL_MASTER", argc, argv);
  } catch (const CLI::Success& help) {  // A success is a request for help or for the manual page.
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "gavel-master: %s (see gavel-master --help)\n", error.what());
    return USAGE;
  }

  if (options.rebuild && options.rebuilding.nodes.empty()) {
    std::fprintf(
        stderr,
        "gavel-master: --rebuild needs --node HOST:PORT, where a node of the chain is (see "
        "gavel-master --help)\n");
    return USAGE;
  }
  if (options.settings.minMembers > options.settings.replicas) {
    std::fprintf(stderr,
                 "gavel-master: --min-members %u is more than --replicas %u: no bid could ever be "
                 "taken (see gavel-master --help)\n",
                 options.settings.minMembers, options.settings.replicas);
    return USAGE;
  }
  setUpLogging("master", options.logFormat, options.logLevel);
  KjLogForwarder forwarder;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { run(options); })) {
    logError("cannot run", {{"error", exception->getDescription()}});
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace gavel::master

int main(int argc, char** argv) {
  try {
    return gavel::master::start(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gavel-master: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
