// bench-queries: the speed of queries, beside the bare echo of the RPC library in the same run.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <kj/debug.h>

#include "base/connection.h"
#include "base/logging.h"
#include "base/process.h"
#include "bench/callers.h"
#include "bench/table.h"
#include "tests/cluster/cluster.h"

namespace gavel::bench {
namespace {

kj::Duration cpuOf(int pid) {
  return KJ_REQUIRE_NONNULL(cpuTimeOf(pid), "no such process", pid);
}

using cluster::Cluster;
using cluster::Process;

constexpr std::size_t AUCTIONS = 16;
constexpr unsigned MOST_TRIES = 5;
const kj::StringPtr CREDENTIAL = "a secret of the benchmark";

struct Flags {
  std::vector<std::size_t> chains = {3, 5};
  double seconds = 2;
  unsigned rounds = 5;
  Load load;
  unsigned bids = 0;
  double quiet = 1;
  bool serveEcho = false;
};

void declare(CLI::App& app, Flags& flags) {
  app.add_option("--chains", flags.chains, "Lengths of the chains, separated by commas")
      ->delimiter(',')
      ->check(CLI::Range(1, 16))
      ->default_str("3,5");
  app.add_option("--seconds", flags.seconds, "Of each measurement")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  app.add_option("--rounds", flags.rounds, "Measurements of each kind, taken in turn")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--in-flight", flags.load.inFlight, "Calls under way at any moment")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--clients", flags.load.clients, "Threads that share them, each with a connection")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--concurrent-bids", flags.bids, "Bids a second, meanwhile, on the chain measured")
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str();
  app.add_option(
         "--quiet", flags.quiet,
         "Measure again, up to five times, where a larger share of the machine's CPU time than "
         "this went elsewhere")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_flag("--serve-echo", flags.serveEcho)->group("");
}

// All names have the same length, so that answers have.
Auctions auctionNames() {
  Auctions names;
  for (std::size_t i = 0; i < AUCTIONS; ++i) names.push_back("auction-" + std::to_string(10 + i));
  return names;
}

// A chain with auctions to query, each with a bid.
class Chain {
public:
  Chain(kj::AsyncIoContext& io, std::size_t length): cluster(io, length) {
    auto client = cluster.newClient();
    capnp::MallocMessageBuilder message;
    auto terms = message.initRoot<schema::Terms>();
    terms.setDuration(86'400'000'000'000);
    for (auto& name: auctionNames()) {
      auto created =
          client->create(name.c_str(), {OWNER, CREDENTIAL.asBytes()}, terms).wait(io.waitScope);
      KJ_REQUIRE(created.outcome().isSuccess(), created.outcome());
      auto bid =
          client->bid({name.c_str(), {BIDDER, CREDENTIAL.asBytes()}, 100}).wait(io.waitScope);
      KJ_REQUIRE(bid.outcome().isSuccess(), bid.outcome());
    }
  }

  Cluster cluster;

  std::size_t length() const { return cluster.size(); }
  const std::string& tail() const { return cluster.nodeAddress(length() - 1); }
  std::vector<std::string> seeds() const {
    std::vector<std::string> result = {cluster.masterAddress()};
    for (std::size_t i = 0; i < length(); ++i) result.push_back(cluster.nodeAddress(i));
    return result;
  }
  std::vector<int> processes() {
    std::vector<int> result;
    for (std::size_t i = 0; i < length(); ++i) result.push_back(cluster.node(i).pid());
    return result;
  }
};

// The size of the answer to one call: bytes on the wire without those of the RPC library itself.
std::size_t answerSize(kj::AsyncIoContext& io, const std::string& address) {
  auto connection = Connection::open(io.provider->getNetwork(), io.provider->getTimer(),
                                     address.c_str(), 5 * kj::SECONDS)
                        .wait(io.waitScope);
  auto request = connection->bootstrap<schema::Auctioneer>().resultRequest();
  request.setAuction(auctionNames().front().c_str());
  return request.send().wait(io.waitScope).getAnswer().totalSize().wordCount * 8;
}

class Benchmark {
public:
  Benchmark(kj::AsyncIoContext& io, const Flags& flags)
      : io(io),
        flags(flags),
        echo(io, {"/proc/self/exe", "--serve-echo"}, logs.path() + "/echo.log") {
    auto line = echo.readLine();
    auto address = line.substr(line.rfind(' ') + 1);
    add("bare echo", overRpc(address, auctionNames()), {echo.pid()}, nullptr);
    for (auto length: flags.chains) {
      auto& chain = *chains.emplace_back(std::make_unique<Chain>(io, length));
      auto size = answerSize(io, address);
      auto chainSize = answerSize(io, chain.tail());
      KJ_REQUIRE(size == chainSize, "the echo's answer has another size than the chain's", size,
                 chainSize);
      auto of = " of " + std::to_string(length);
      auto pids = chain.processes();
      add("tail" + of + ", bare RPC", overRpc(chain.tail(), auctionNames()), pids, &chain);
      add("tail" + of, overLibrary(chain.seeds(), client::ReadFrom::tail, auctionNames()), pids,
          &chain);
      add("all" + of, overLibrary(chain.seeds(), client::ReadFrom::anyNode, auctionNames()), pids,
          &chain);
    }
  }

  void run() {
    for (unsigned round = 1; round <= flags.rounds; ++round) {
      for (std::size_t i = 0; i < rows.size(); ++i) measureOne(i, round);
    }
    printf("%s", table(rows).c_str());
  }

private:
  struct Subject {
    MakeCaller make;
    std::vector<int> processes;
    Chain* chain;  // Null: the echo.
  };

  kj::AsyncIoContext& io;
  const Flags& flags;
  gavel::testing::TemporaryDirectory logs;
  Process echo;
  std::vector<std::unique_ptr<Chain>> chains;
  std::vector<Row> rows;
  std::vector<Subject> subjects;  // One for each row.
  unsigned workloads = 0;

  void add(const std::string& name, MakeCaller make, std::vector<int> processes, Chain* chain) {
    rows.push_back({name, {}});
    subjects.push_back({std::move(make), std::move(processes), chain});
  }

  void measureOne(std::size_t i, unsigned number) {
    auto round = measureOnce(i);
    for (unsigned tries = 1; round.elsewhere > flags.quiet && tries < MOST_TRIES; ++tries) {
      round = measureOnce(i);
    }
    fprintf(stderr, "round %u of %u: %s: %.0f calls/s, %.0f %% of the machine busy elsewhere\n",
            number, flags.rounds, rows[i].name.c_str(), round.measured.perSecond,
            100 * round.elsewhere);
    rows[i].rounds.push_back(std::move(round));
  }

  Round measureOnce(std::size_t i) {
    auto& subject = subjects[i];
    std::unique_ptr<gavel::testing::Workload> bids;
    if (flags.bids > 0 && subject.chain != nullptr) {
      gavel::testing::Workload::Options options;
      options.prefix = std::to_string(++workloads) + "-";
      options.rate = flags.bids;
      bids = std::make_unique<gavel::testing::Workload>(io, subject.chain->cluster, options);
    }
    auto machine = machineTime();
    std::vector<kj::Duration> before;
    for (auto pid: subject.processes) before.push_back(cpuOf(pid));
    Round round;
    round.measured = measure(io, subject.make, flags.load);
    auto ours = round.measured.clientCpu;
    for (std::size_t k = 0; k < before.size(); ++k) {
      round.serverCpu.push_back(cpuOf(subject.processes[k]) - before[k]);
      ours += round.serverCpu[k];
    }
    auto now = machineTime();
    auto elsewhere = now.used - machine.used - ours;
    round.elsewhere = kj::max(0.0, double(elsewhere / kj::NANOSECONDS) /
                                       double((now.total - machine.total) / kj::NANOSECONDS));
    if (bids != nullptr) {
      bids->stop();
      KJ_REQUIRE(bids->acknowledged() > 0, "no bid was acknowledged meanwhile");
    }
    return round;
  }
};

int main(int argc, char** argv) {
  CLI::App app("Measures queries at the tail and spread over all nodes, beside the bare echo");
  Flags flags;
  declare(app, flags);
  CLI11_PARSE(app, argc, argv);
  if (flags.load.inFlight < flags.load.clients) {
    fprintf(stderr, "bench-queries: --in-flight must not be below --clients\n");
    return EXIT_FAILURE;
  }
  flags.load.time = static_cast<std::int64_t>(flags.seconds * 1e9) * kj::NANOSECONDS;
  if (flags.serveEcho) {
    serveEcho();
    return EXIT_SUCCESS;
  }
  setUpLogging("bench-queries", LogFormat::text, LogLevel::warning);
  auto io = kj::setupAsyncIo();
  Benchmark(io, flags).run();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace gavel::bench

int main(int argc, char** argv) {
  auto code = EXIT_FAILURE;
  KJ_IF_MAYBE (exception,
               kj::runCatchingExceptions([&]() { code = gavel::bench::main(argc, argv); })) {
    fprintf(stderr, "bench-queries: %s\n", kj::str(*exception).cStr());
  }
  return code;
}
