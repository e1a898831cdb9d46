// gavel-node: one server of the chain.

#include <cstdlib>
#include <stdio.h>

#include <CLI/CLI.hpp>
#include <kj/async-io.h>
#include <kj/debug.h>

#include "base/duration.h"
#include "base/logging.h"
#include "base/manual-page.h"
#include "base/process.h"
#include "base/program-options.h"
#include "base/protection.h"
#include "base/remembering-network.h"
#include "base/server.h"
#include "base/service-manager.h"
#include "base/turn-meter.h"
#include "node/node.h"
#include "store/restore.h"
#include "store/rocks-store.h"

namespace gavel::node {
namespace {

struct Flags {
  std::string name;
  std::string listen = "127.0.0.1:0";
  std::string advertise;
  std::vector<std::string> masters;
  std::string data;
  std::string restore;
  RocksStore::Options store;
  chain::Replica::Options replica;
  std::string sessionIdle = "1h";
  std::string diskPatience = "5s";
  std::string maxLeap = "7d";
  std::size_t maxPending = std::size_t(256) << 20;
  std::string linkPatience;
  ProtectionOptions protection;
  LogFormat logFormat = LogFormat::text;
  LogLevel logLevel = LogLevel::info;
};

std::string checkName(const std::string& name) {
  return name.empty() || name.size() > 128 ? "must be 1 to 128 bytes long" : "";
}

std::string checkAddress(const std::string& address) {
  return isHostPort(address.c_str()) ? "" : "\"" + address + "\" is not an address, host:port";
}

// A smaller number probably means MiB and lacks its unit, so it is not taken for bytes.
constexpr std::uint64_t LEAST_PENDING = std::uint64_t(1) << 20;
constexpr std::uint64_t MOST_PENDING = std::uint64_t(1) << 40;  // A negative number reads as more.

std::string checkPending(const std::string& bytes) {
  auto value = std::strtoull(bytes.c_str(), nullptr, 10);
  if (value >= LEAST_PENDING && value <= MOST_PENDING) return "";
  return "must be 1MiB to 1TiB, with its unit (256MiB, 1GiB), and this is " + bytes + " bytes";
}

// Below this, an ordinary delay would be taken for a dead link.
constexpr auto LEAST_LINK_PATIENCE = 250 * kj::MILLISECONDS;

std::string checkPatience(const std::string& text) {
  std::string problem;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 if (parseDuration(text.c_str()) < LEAST_LINK_PATIENCE) {
                   problem = "must be 250ms or more";
                 }
               })) {
    problem = exception->getDescription().cStr();
  }
  return problem;
}

void declare(CLI::App& app, Flags& flags) {
  app.add_option("--name", flags.name, "The node's name, unique in its cluster")
      ->required()
      ->check(checkName);
  app.add_option("--listen", flags.listen,
                 "Address to listen on, host:port; port 0 takes a free one")
      ->capture_default_str();
  app.add_option("--advertise", flags.advertise,
                 "Address under which others reach this node (default: where it listens)");
  app.add_option("--master", flags.masters, "Addresses of the masters, separated by commas")
      ->required()
      ->delimiter(',')
      ->check(checkAddress);
  app.add_option("--data", flags.data, "Directory for what must survive; made if missing")
      ->required();
  app.add_option(
      "--restore", flags.restore,
      "Begin a new cluster from the backup in this directory; only with an empty --data");
  app.add_flag(
      "--replace-damaged", flags.store.replaceDamaged,
      "Set a damaged data directory's content aside, within it, and join as an empty node");
  app.add_option("--retain-bytes", flags.store.retainBytes,
                 "Log kept for nodes that come back: bytes before the newest checkpoint")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("64MiB");
  app.add_option("--retain-entries", flags.store.retainEntries, "Likewise: entries")
      ->capture_default_str();
  app.add_option("--checkpoint-bytes", flags.replica.checkpointBytes,
                 "Log from one checkpoint of the state to the next: what a restart reads again")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("4MiB");
  app.add_option("--sync", flags.store.sync,
                 "always: a bid counts as stored after fsync; never: replication alone protects it")
      ->transform(CLI::CheckedTransformer(std::map<std::string, SyncMode>{
          {"always", SyncMode::always}, {"never", SyncMode::never}}))
      ->default_str("always");
  app.add_option("--disk-patience", flags.diskPatience,
                 "How long the disk may go without an answer; then the chain goes on without it")
      ->type_name("DURATION")
      ->check(checkPatience)
      ->capture_default_str();
  app.add_option("--session-idle", flags.sessionIdle, "End client sessions unused for this long")
      ->capture_default_str();
  app.add_option("--max-leap", flags.maxLeap,
                 "As head, take no calls while the clock is further than this above the newest "
                 "entry and what has passed since: 'gavel chain clock'")
      ->capture_default_str();
  app.add_option("--max-pending", flags.maxPending,
                 "Bytes of calls, and of log that is not committed yet, above which bids are "
                 "refused as overloaded; at least 1MiB")
      ->transform(CLI::AsSizeValue(false))
      ->check(checkPending)
      ->default_str("256MiB");
  app.add_option("--link-patience", flags.linkPatience,
                 "Take a link to a neighbour for dead after this long without progress (default: "
                 "the master's --suspect-after)")
      ->type_name("DURATION")
      ->check(checkPatience);
  declareProtection(app, flags.protection);
  app.add_option("--log-format", flags.logFormat, "text or json")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, LogFormat>{{"text", LogFormat::text}, {"json", LogFormat::json}}))
      ->default_str("text");
  app.add_option("--log-level", flags.logLevel, "debug, info, warning or error")
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, LogLevel>{{"debug", LogLevel::debug},
                                                                  {"info", LogLevel::info},
                                                                  {"warning", LogLevel::warning},
                                                                  {"error", LogLevel::error}}))
      ->default_str("info");
}

// The database, peers and the master need some descriptors.
constexpr unsigned RESERVED_FILES = 512;
// The most connections that are for nodes, masters and operators only.
constexpr unsigned MOST_RESERVED = 64;

int serve(const Flags& flags) {
  setUpLogging(flags.name, flags.logFormat, flags.logLevel);
  KjLogForwarder forwarder;
  captureStopSignals();
  auto files = raiseFileLimit();
  Server::Limits limits;
  limits.connections = std::min(flags.protection.maxConnections,
                                files > 2 * RESERVED_FILES ? files - RESERVED_FILES : files / 2);
  limits.reserved = std::min(MOST_RESERVED, limits.connections / 4);
  limits.idle = parseDuration(flags.protection.idleTimeout.c_str());

  auto io = setUpEventLoop();
  Protection protection(flags.protection, flags.listen.c_str(), io.provider->getNetwork());
  auto& timer = io.provider->getTimer();
  RememberingNetwork network(protection.network(), timer);
  SystemRandom random;
  RealClock clock;

  auto listener = listenOn(io.provider->getNetwork(), io.waitScope, flags.listen.c_str());
  auto address = boundAddress(flags.listen.c_str(), listener->getPort());
  if (!flags.restore.empty()) {
    auto restored = restoreBackup(flags.restore.c_str(), flags.data.c_str(), random, flags.store)
                        .wait(io.waitScope);
    logInfo("restored from a backup: a new cluster can be formed with this node",
            {{"backup", flags.restore}, {"index", restored.position.index}});
    if (restored.unconfirmed) {
      logWarning(
          "the chain had not confirmed this backup: what follows the entry that is known to "
          "be committed is in effect from now on, though perhaps nobody was told of it",
          {{"committed", restored.committed}, {"index", restored.position.index}});
    }
  }
  RocksStore store(flags.data.c_str(), flags.store, random);
  if (flags.store.sync == SyncMode::never) {
    logWarning("--sync=never: a bid survives the loss of processes, but not of power everywhere");
  }

  NodeOptions options;
  options.name = flags.name;
  options.address = flags.advertise.empty() ? address.cStr() : flags.advertise;
  options.masters = flags.masters;
  options.replica = flags.replica;
  options.replica.diskPatience = parseDuration(flags.diskPatience.c_str());
  options.limits.pendingBytes = flags.maxPending;
  options.limits.uncommittedBytes = flags.maxPending;
  options.limits.sessionIdle = parseDuration(flags.sessionIdle.c_str());
  options.maxLeap = parseDuration(flags.maxLeap.c_str());
  if (!flags.linkPatience.empty()) {
    options.linkPatience = parseDuration(flags.linkPatience.c_str());
  }
  TurnMeter turns(timer);
  options.turns = &turns;
  auto image = store.load().wait(io.waitScope);
  Node node(network, timer, clock, random, store, kj::mv(image), kj::mv(options));
  Server server(
      [&node](Access access) -> capnp::Capability::Client { return node.service(access); }, timer,
      limits, protection.secrets(), protection.takeTls());

  printf("gavel-node %s ready on %s\n", flags.name.c_str(), address.cStr());
  fflush(stdout);
  logInfo("started", {{"address", address}, {"data", flags.data}});
  tellReady();
  auto signal = server.listen(*listener)
                    .exclusiveJoin(node.run())
                    .then([]() { return 0; })
                    .exclusiveJoin(onStopSignal(io.unixEventPort))
                    .wait(io.waitScope);
  logInfo("stopping", {{"signal", signal}});
  tellStopping();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace gavel::node

int main(int argc, char** argv) {
  CLI::App app("gavel-node: one server of a Gavel chain");
  gavel::node::Flags flags;
  gavel::node::declare(app, flags);
  gavel::declareConfiguration(app, "GAVEL_NODE");
  gavel::addManualPage(app);
  try {
    gavel::parseConfigured(app, "GAVEL_NODE", argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : 2;
  }
  int status = EXIT_FAILURE;
  KJ_IF_MAYBE (exception,
               kj::runCatchingExceptions([&]() { status = gavel::node::serve(flags); })) {
    fprintf(stderr, "gavel-node: %s\n", exception->getDescription().cStr());
  }
  return status;
}
