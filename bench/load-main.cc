// bench-load: load on one running system, for bench/compare and bench/slow.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <kj/debug.h>

#include "base/logging.h"
#include "base/process.h"
#include "bench/bidders.h"
#include "bench/callers.h"
#include "bench/deaf-client.h"
#include "bench/report.h"

namespace gavel::bench {
namespace {

int main(int argc, char** argv) {
  CLI::App app("Loads one system, and prints how fast it was");
  app.require_subcommand(1);
  Load load;
  std::vector<std::string> servers;
  unsigned batch = 1, auctions = 64, connections = 1, replicas = 2;
  std::string directory;
  MakeCaller make;

  auto add = [&](const char* name, const char* what, std::function<MakeCaller()> chosen) {
    auto command = app.add_subcommand(name, what);
    declare(*command, load);
    command->callback([&make, chosen]() { make = chosen(); });
    return command;
  };
  auto addServer = [&](CLI::App* command) {
    command->add_option("--server", servers, "host:port; several separated by commas")
        ->delimiter(',')
        ->required();
  };

  app.add_subcommand("serve-echo", "Serves the bare echo of the RPC library until it is ended");
  addServer(add("echo", "Calls the bare echo",
                [&]() { return overRpc(servers.front(), {"auction-10"}); }));
  auto gavel = add("gavel", "Bids on Gavel", [&]() { return overGavel(servers, auctions, batch); });
  addServer(gavel);
  gavel->add_option("--auctions", auctions, "That are bid on in turn")
      ->check(CLI::Range(1, 100'000));
  gavel->add_option("--batch", batch, "Bids in one call")->check(CLI::Range(1, 4096));
  gavel->add_option("--clients", load.clients, "Threads that share the calls")
      ->check(CLI::Range(1, 64));
  auto redis = add("redis", "Bids on Redis",
                   [&]() { return overRedis(servers.front(), connections, replicas); });
  addServer(redis);
  redis->add_option("--connections", connections, "That share the calls")
      ->check(CLI::Range(1, 10'000));
  redis->add_option("--replicas", replicas, "That must have each bid")->check(CLI::Range(0, 16));
  auto deaf = app.add_subcommand("deaf", "Asks a node for much, and reads no answer");
  unsigned calls = 100'000;
  addServer(deaf);
  deaf->add_option("--calls", calls, "How often it asks")->check(CLI::Range(1, 1'000'000));
  auto disk = add("disk", "Appends 4 KiB and syncs", [&]() { return onDisk(directory); });
  disk->add_option("--directory", directory, "On the disk to measure")->required();

  CLI11_PARSE(app, argc, argv);
  if (app.got_subcommand("serve-echo")) {
    serveEcho();
    return EXIT_SUCCESS;
  }
  if (deaf->parsed()) {
    askWithoutReading(servers.front(), calls);
    return EXIT_SUCCESS;
  }
  if (load.inFlight < load.clients || (disk->parsed() && load.inFlight != 1)) {
    fprintf(stderr, "bench-load: --in-flight must be at least --clients, and 1 on the disk\n");
    return EXIT_FAILURE;
  }
  setUpLogging("bench-load", LogFormat::text, LogLevel::warning);
  auto io = setUpEventLoop();
  printf("%s\n", json(measure(io, make, load), batch).c_str());
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace gavel::bench

int main(int argc, char** argv) {
  auto code = EXIT_FAILURE;
  KJ_IF_MAYBE (exception,
               kj::runCatchingExceptions([&]() { code = gavel::bench::main(argc, argv); })) {
    fprintf(stderr, "bench-load: %s\n", kj::str(*exception).cStr());
  }
  return code;
}
