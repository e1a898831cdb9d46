#include <iterator>
#include <regex>
#include <signal.h>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/process.h"
#include "tests/cluster/seeded.h"
#include "tests/support/fakes.h"

// `gavel bench` on chains of its own: whether its results are right, not how fast the chains are.
namespace gavel::cluster {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Bench: public Seeded {
protected:
  ~Bench() noexcept override = default;

  gavel::testing::TemporaryDirectory home;

  std::vector<std::string> commandOf(std::vector<std::string> arguments) {
    std::vector<std::string> command = {"/usr/bin/env",
                                        "XDG_CONFIG_HOME=" + home.path(),
                                        "XDG_STATE_HOME=" + home.path(),
                                        "TMPDIR=" + home.path(),
                                        binary("gavel"),
                                        "bench"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
  }
  Finished bench(std::vector<std::string> arguments) {
    return runToEnd(io, commandOf(std::move(arguments)));
  }
  // The directories of chains of its own that are left.
  std::string left() {
    return runToEnd(io, {"/usr/bin/find", home.path(), "-mindepth", "1", "-name", "gavel-*"})
        .output;
  }
};

TEST_F(Bench, CountsWhatItWasAskedForAndFindsItAll) {
  auto ran = bench({"--nodes", "2", "--bids", "3000", "--warmup", "0", "--clients", "4",
                    "--threads", "2", "--auctions", "8", "-o", "json"});
  EXPECT_EQ(ran.status, 0) << ran.errors;
  EXPECT_THAT(ran.output, AllOf(HasSubstr(R"("v":1,)"), HasSubstr(R"("bids":"3000")"),
                                HasSubstr(R"("outcomes":{"success":"3000","tooLow":"0")"),
                                HasSubstr(R"("verified":"3000","appeared":"0","kept":true)")));
}

TEST_F(Bench, RegistersAllBiddersBefore) {
  Cluster cluster(io, 1);
  auto ran = bench({"-s", cluster.nodeAddress(0), "--bids", "2", "--warmup", "0", "--clients", "2",
                    "--auctions", "1", "--bidders", "600"});
  EXPECT_EQ(ran.status, 0) << ran.errors;
  // Each client makes half of them, which is more than one list has room for.
  auto auctions = cluster.gavel("somebody", {"auctions", "list", "-o", "json"}).output;
  static const std::regex HALF(R"("bids":"300")");
  EXPECT_EQ(std::distance(std::sregex_iterator(auctions.begin(), auctions.end(), HALF), {}), 2)
      << auctions;
}

TEST_F(Bench, BidsInListsOnOneAuctionAndAsksForResults) {
  auto ran = bench({"--nodes", "1", "--duration", "300ms", "--warmup", "0", "--auctions", "1",
                    "--batch", "16", "--in-flight", "4", "--mix", "3:2"});
  EXPECT_EQ(ran.status, 0) << ran.errors;
  EXPECT_THAT(ran.output, AllOf(HasSubstr("latency of lists"), HasSubstr("results "),
                                HasSubstr("exactly once"), Not(HasSubstr("tooLow"))));
}

TEST_F(Bench, LosesNothingWhenItKillsEachRole) {
  auto ran = bench({"--nodes", "3", "--rate", "2000", "--duration", "3s", "--warmup", "100ms",
                    "--kill", "master@2500ms", "--kill", "head@300ms", "--kill", "middle@1s",
                    "--kill", "tail@1700ms", "--timeline", home.path() + "/timeline.csv"});
  EXPECT_EQ(ran.status, 0) << ran.errors << ran.output;
  EXPECT_THAT(ran.output,
              AllOf(HasSubstr("the head, n"), HasSubstr("the middle, n"), HasSubstr("the tail, n"),
                    HasSubstr("the master, master"), HasSubstr("exactly once")));
  auto lines = runToEnd(io, {"/usr/bin/wc", "-l", home.path() + "/timeline.csv"});
  EXPECT_THAT(lines.output, HasSubstr("301 "));
  EXPECT_EQ(left(), "") << "nothing stays of a chain that nobody asked to keep";
}

// All calls that were due would else be made, a few in each timeout.
TEST_F(Bench, EndsWhereNobodyAnswersAnyMore) {
  auto ran = bench({"--nodes", "1", "--spares", "0", "--rate", "5000", "--duration", "2s",
                    "--warmup", "100ms", "--timeout", "1s", "--kill", "master@100ms", "--kill",
                    "head@200ms", "--skip-check"});
  EXPECT_THAT(ran.output, AllOf(HasSubstr("the head, n1"), HasSubstr("calls that were due")));
}

TEST_F(Bench, TellsWhatItHasMeasuredWhenItIsInterrupted) {
  Cluster cluster(io, 1);
  Process process(io,
                  commandOf({"-s", cluster.nodeAddress(0), "--duration", "5m", "--warmup", "0",
                             "--auctions", "1"}),
                  home.path() + "/log");
  // More than the 64 that register the bidders.
  static const std::regex MEASURED(R"("bids":"[0-9]{3,}")");
  cluster.until("bids", [&]() {
    return std::regex_search(cluster.gavel("somebody", {"auctions", "list", "-o", "json"}).output,
                             MEASURED);
  });
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(), 130);
  EXPECT_THAT(process.readLine(), HasSubstr("accepted in"));
}

TEST_F(Bench, EndsWhenItIsInterruptedBeforeItMeasures) {
  Process process(io, commandOf({"--nodes", "1", "--auctions", "1000000", "--bids", "1"}),
                  home.path() + "/log");
  while (left().empty())
    io.provider->getTimer().afterDelay(5 * kj::MILLISECONDS).wait(io.waitScope);
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(), 130);
  EXPECT_EQ(left(), "");
}

}  // namespace
}  // namespace gavel::cluster
