#include <CLI/CLI.hpp>

#include "client/bench/run.h"

namespace gavel::client::cli {
namespace {

constexpr unsigned FIRST_PORT = 7500;  // Of its own chain; `gavel up` uses those before.

Run prepareBench(const BenchOptions& options) {
  auto plan = std::make_shared<BenchPlan>(readPlan(options));
  return [plan](Context& context) {
    auto& load = plan->load;
    load.timeout = context.settings.timeout;
    load.credential = kj::heapArray(context.identity().credential);
    load.prefix = std::string("bench-") + kj::str(kj::hex(context.random.next())).cStr() + "-";
    if (plan->chain) plan->chain->port = freePorts(FIRST_PORT, plan->chain->nodes + 1);
    return runBench(context, kj::mv(*plan));
  };
}

}  // namespace

void addBench(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<BenchOptions>();
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
  add("--bidders", options->bidders, "That bid in turn, each once before");
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
  add("--settle", options->settle, "Pause after auctions and bidders are made; default: none");
  bench->add_option("--pids", options->pids, "Processes on this machine whose CPU time is told")
      ->delimiter(',');
  bench->add_flag("--skip-check", options->skipCheck, "Do not read the histories afterwards");
  bench->footer(
      "Afterwards all histories are read: every bid that was accepted has to be there once, with\n"
      "its amount and bidder, and nothing else.  Exit code 1 if not.  The auctions stay open\n"
      "for an hour, with --bids for a day.  It keeps 48 bytes of each bid.  Ctrl-C ends it sooner, "
      "with\n"
      "what was measured by then; then the histories are not read.");
  bench->callback([options, &chosen]() {
    chosen.prepare = [options]() { return prepareBench(*options); };
    chosen.stopsItself = true;
  });
}

}  // namespace gavel::client::cli
