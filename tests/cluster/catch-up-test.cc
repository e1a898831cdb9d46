#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/cluster/bulk.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/disk.h"
#include "tests/cluster/seeded.h"

// A chain with a million bids in its history: the costs of joining, restarting and storing.
namespace gavel::cluster {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t AUCTIONS = 10'000;
constexpr std::size_t BIDS_EACH = 100;
constexpr std::size_t CLOSED = 9'000;
constexpr unsigned RATE = 1'000;
constexpr auto LONG = 120 * kj::SECONDS;

double seconds(kj::Duration time) {
  return time / kj::MICROSECONDS / 1e6;
}

// Kilobytes in memory.
std::size_t residentKilobytes(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stoul(line.substr(6));
  }
  KJ_FAIL_REQUIRE("a process without memory", pid);
}

std::size_t bytesOnDisk(const std::string& directory) {
  std::size_t blocks = 0;
  for (auto& entry: std::filesystem::recursive_directory_iterator(directory)) {
    struct stat status;
    // The database may remove a file at any time.
    if (stat(entry.path().c_str(), &status) == 0) {
      blocks += static_cast<std::size_t>(status.st_blocks);
    }
  }
  return blocks * 512;
}

class CatchUp: public Seeded {
protected:
  ~CatchUp() noexcept override = default;

  static Cluster::Options patient() {
    Cluster::Options options;
    options.masterFlags = {"--flap-delay", "0s"};
    options.clientTimeout = 60 * kj::SECONDS;
    return options;
  }

  struct Restarted {
    double ready;   // Seconds.
    double serves;  // Since the start.
    std::size_t kilobytes;
  };
  // Restarts twice.  The second time there is little log to read, and memory holds only what it
  // must.
  static Restarted restart(Cluster& cluster, std::size_t i) {
    auto first = restartOnce(cluster, i);
    first.kilobytes = restartOnce(cluster, i).kilobytes;
    return first;
  }
  static Restarted restartOnce(Cluster& cluster, std::size_t i) {
    cluster.node(i).kill();
    cluster.untilWithout(i);
    auto begin = clockNow();
    cluster.restartNode(i);
    auto ready = clockNow();
    cluster.untilWhole(LONG);
    return {seconds(ready - begin), seconds(clockNow() - begin),
            residentKilobytes(cluster.node(i).pid())};
  }

  // An empty node joins under a steady load, which does not wait for answers.
  void join(Cluster& cluster, std::size_t joiner) {
    gavel::testing::Workload load(io, cluster, {50, 100, "steady-", RATE});
    load.runUntilSteady(500 * kj::MILLISECONDS);
    auto begin = clockNow();
    cluster.restartNode(joiner);
    cluster.untilWhole(LONG);
    auto end = clockNow();
    load.runUntilSteady(200 * kj::MILLISECONDS);
    auto bids = load.acknowledgedBetween(begin, end);
    auto gap = load.longestGap(begin, end) / kj::MICROSECONDS / 1000.0;
    load.stop();
    load.verify();
    EXPECT_EQ(load.unknown(), 0u);
    EXPECT_THAT(cluster.node(joiner).log(), HasSubstr("snapshot installed"));
    EXPECT_GT(bids / seconds(end - begin), RATE * 0.5) << "the load was not what it is said to be";
    printf(
        "CATCHUP an empty joiner serves %.2f s after its start, %zu MB on its disk, while %.0f "
        "bids/s went on; longest gap without an acknowledgement %.1f ms\n",
        seconds(end - begin), bytesOnDisk(cluster.dataOf(joiner)) >> 20,
        bids / seconds(end - begin), gap);
  }
};

TEST_F(CatchUp, ChainWithAMillionBidsIsJoinedAndRestartedAndForgetsWhatIsOver) {
  Cluster cluster(io, patient());
  auto whenEmpty = residentKilobytes(cluster.node(1).pid());
  cluster.node(2).kill();
  cluster.untilWithout(2);
  wipe(cluster.dataOf(2));

  auto begin = clockNow();
  Bulk bulk(io, cluster, AUCTIONS);
  auto created = clockNow();
  bulk.bid(BIDS_EACH).wait(io.waitScope);
  auto loaded = clockNow();
  EXPECT_EQ(bulk.bids(), AUCTIONS * BIDS_EACH);
  printf("CATCHUP %zu auctions made in %.1f s, %zu bids on them in %.1f s (%.0f/s)\n", AUCTIONS,
         seconds(created - begin), bulk.bids(), seconds(loaded - created),
         bulk.bids() / seconds(loaded - created));
  join(cluster, 2);

  auto full = restart(cluster, 1);
  auto perAuction = static_cast<double>(full.kilobytes - whenEmpty) * 1024 / AUCTIONS;
  printf(
      "RESTART with %zu bids in %zu auctions: ready after %.2f s, serves after %.2f s; %.0f bytes "
      "on disk for each bid; %.0f bytes of memory for each live auction (%zu MB, of which %zu MB "
      "when empty)\n",
      bulk.bids(), AUCTIONS, full.ready, full.serves,
      static_cast<double>(bytesOnDisk(cluster.dataOf(1))) / bulk.bids(), perAuction,
      full.kilobytes >> 10, whenEmpty >> 10);
  EXPECT_LT(full.ready, 10) << "far from the aim of 2 s";

  bulk.close(0, CLOSED);
  bulk.bid(BIDS_EACH).wait(io.waitScope);  // Makes the nodes write checkpoints.
  auto running = residentKilobytes(cluster.node(0).pid());
  auto rest = restart(cluster, 0);
  printf(
      "RESTART with %zu of %zu auctions closed: ready after %.2f s, serves after %.2f s; %zu MB of "
      "memory before, %zu MB after\n",
      CLOSED, AUCTIONS, rest.ready, rest.serves, running >> 10, rest.kilobytes >> 10);
  EXPECT_LT(rest.kilobytes, full.kilobytes) << "what is over is still in memory";

  begin = clockNow();
  bulk.verify();
  printf("CATCHUP all %zu histories and results are right, read in %.1f s\n", AUCTIONS,
         seconds(clockNow() - begin));
  cluster.expectSameState();
}

TEST_F(CatchUp, SnapshotsThatAreInterruptedAreBegunAnew) {
  auto options = patient();
  options.nodeFlags = {"--retain-entries", "1000"};
  Cluster cluster(io, options);
  Bulk bulk(io, cluster, 2'000);
  bulk.bid(50).wait(io.waitScope);
  gavel::testing::Workload load(io, cluster, {10, 10, "steady-", 300});
  load.runUntilSteady(100 * kj::MILLISECONDS);
  enum Lost { joiner, predecessor, head, master };
  std::size_t interrupted = 0;
  for (auto lost: {joiner, predecessor, head, master, joiner, predecessor, head, master}) {
    auto last = cluster.chain().serving.back();
    cluster.node(last).kill();
    cluster.untilWithout(last);
    wipe(cluster.dataOf(last));
    cluster.restartNode(last);
    auto says = [&](const char* text) {
      return cluster.node(last).log().find(text) != std::string::npos;
    };
    cluster.until("a snapshot to be sent", [&]() { return says("dropping everything"); });
    load.runFor(drawUpTo(30 * kj::MILLISECONDS));
    if (!says("snapshot installed")) ++interrupted;
    auto members = cluster.chain().serving;
    switch (lost) {
      case joiner:
        cluster.restartNode(last);
        break;
      case predecessor:
        cluster.restartNode(members.back());
        break;
      case head:
        cluster.restartNode(members.front());
        break;
      case master:
        cluster.restartMaster();
        break;
    }
    cluster.until(
        "the joiner to serve", [&]() { return cluster.chain().serves(last); }, LONG);
    cluster.untilWhole();
  }
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  EXPECT_EQ(load.unknown(), 0u);
  bulk.verify();
  cluster.expectSameState();
  EXPECT_GE(interrupted, 2u) << "too little was interrupted to prove anything";
  printf(
      "CATCHUP snapshots interrupted x%zu by the loss of joiner, predecessor, head, master: all "
      "begun anew, 0 of %zu acknowledged bids lost\n",
      interrupted, load.acknowledged() + bulk.bids());
}

}  // namespace
}  // namespace gavel::cluster
