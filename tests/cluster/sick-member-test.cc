#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/disk.h"
#include "tests/cluster/seeded.h"

// Disks that hang, as with fsfreeze, a disk that crawls, and a process that crawls.  The chain goes
// on without such a member, unless all are alike (R12).
namespace gavel::cluster {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t MEGABYTE = 1 << 20;

class HangingDisk: public Seeded {
protected:
  ~HangingDisk() noexcept override = default;

  void SetUp() override {
    auto why = whyNoMounts(io);
    if (!why.has_value()) return;
    printf("HANG not tested: file systems cannot be mounted here\n");
    GTEST_SKIP() << "needs to mount file systems, as root: " << *why;
  }

  void makeDisk(std::size_t node) {
    auto name = directory.path() + "/n" + std::to_string(node + 1);
    disks.push_back(std::make_unique<LoopDisk>(io, name + ".image", name, 256 * MEGABYTE));
  }

  void start(const Flags& nodeFlags = {}) {
    Cluster::Options options;
    options.data = directory.path();
    options.masterFlags = {"--flap-delay", "0s"};
    options.nodeFlags = nodeFlags;
    options.clientTimeout = 120 * kj::SECONDS;
    cluster = std::make_unique<Cluster>(io, options);
    cluster->untilWhole();
  }

  bool saysThatItHangs(std::size_t node) {
    return cluster->status(node).getStatus().getDiskHangs();
  }

  // Longer than it takes to notice any disk, on a busy machine as well.
  static constexpr auto PATIENCE = 120 * kj::SECONDS;

  gavel::testing::TemporaryDirectory directory;
  std::vector<std::unique_ptr<LoopDisk>> disks;
  std::unique_ptr<Cluster> cluster;
};

TEST_F(HangingDisk, OfAnIdleMemberHoldsNobodyUpWhenAnotherOneIsKilled) {
  makeDisk(1);
  start();
  disks[0]->freeze();
  auto killed = clockNow();
  cluster->node(2).kill();
  // Nobody bids before: probes find that the disk hangs.
  gavel::testing::Workload load(io, *cluster, gavel::testing::Workload::Options{4, 2, "", 200});
  load.runUntilSteady(100 * kj::MILLISECONDS, PATIENCE);
  auto gap = clockNow() - killed;
  auto chain = cluster->chain();
  EXPECT_TRUE(chain.serves(0));
  EXPECT_FALSE(chain.serves(1));
  printf("HANG idle member, another one killed: bids went on %.1f s after the kill\n",
         gap / kj::MILLISECONDS / 1000.0);
  // It is no member any more, and ends as soon as it notices, unless its disk answers before.
  EXPECT_THAT(cluster->node(1).log(), HasSubstr("the disk does not answer"));
  disks[0]->thaw();
  for (std::size_t i: {1, 2}) cluster->restartNode(i);
  cluster->untilWhole(PATIENCE);
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  cluster->expectSameState();
}

TEST_F(HangingDisk, OfAllTogetherMakesNobodyLeave) {
  for (std::size_t i = 0; i < 3; ++i) makeDisk(i);
  start({"--disk-patience", "1s"});
  gavel::testing::Workload load(io, *cluster, gavel::testing::Workload::Options{4, 2, "", 200});
  load.runUntilSteady(100 * kj::MILLISECONDS);
  auto epoch = cluster->chain().epoch;
  for (auto& disk: disks) disk->freeze();
  auto frozen = clockNow();
  cluster->until(
      "all to say that their disks hang",
      [&]() { return saysThatItHangs(0) && saysThatItHangs(1) && saysThatItHangs(2); }, PATIENCE);
  // As long again as they took to report it, in which somebody might draw a wrong conclusion.
  io.provider->getTimer().afterDelay(clockNow() - frozen).wait(io.waitScope);
  EXPECT_EQ(cluster->chain().epoch, epoch);
  for (auto& disk: disks) disk->thaw();
  load.runUntilSteady(100 * kj::MILLISECONDS, PATIENCE);
  EXPECT_EQ(cluster->chain().epoch, epoch);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(cluster->node(i).running());
  printf("HANG all members for %.1f s: nobody left, bids went on\n",
         load.longestGap(frozen) / kj::MILLISECONDS / 1000.0);
  load.stop();
  load.verify();
  cluster->expectSameState();
}

class CrawlingDisk: public Seeded {
protected:
  ~CrawlingDisk() noexcept override = default;

  void setDelay(unsigned microseconds) {
    auto name = directory.path() + "/sync-delay";
    std::ofstream(name + ".new") << microseconds;
    KJ_SYSCALL(rename((name + ".new").c_str(), name.c_str()));
  }

  gavel::testing::TemporaryDirectory directory;
};

TEST_F(CrawlingDisk, IsTakenOutAndLetInAgainWhenItIsWell) {
  setDelay(0);
  Cluster::Options options;
  options.clientTimeout = 120 * kj::SECONDS;
  options.launchers = {{},
                       {},
                       {"/usr/bin/env", "SLOW_SYNC=" + directory.path() + "/sync-delay",
                        "LD_PRELOAD=" + binary("bench-slow-sync.so")}};
  Cluster cluster(io, options);
  gavel::testing::Workload load(io, cluster, gavel::testing::Workload::Options{4, 2, "", 200});
  load.runUntilSteady(100 * kj::MILLISECONDS);
  auto begin = clockNow();
  setDelay(2'000'000);
  constexpr auto PATIENCE = 120 * kj::SECONDS;
  cluster.until(
      "the crawling member to be out", [&]() { return !cluster.chain().serves(2); }, PATIENCE);
  load.runUntilSteady(100 * kj::MILLISECONDS, PATIENCE);
  auto crawled = clockNow() - begin;
  EXPECT_THAT(cluster.noteOn(2), HasSubstr("slow"));
  EXPECT_TRUE(cluster.node(2).running());
  setDelay(0);
  auto well = clockNow();
  cluster.untilWhole(PATIENCE);
  printf("CRAWL a sync takes 2 s at one member: out after %.1f s, back %.1f s after it was well\n",
         crawled / kj::MILLISECONDS / 1000.0, (clockNow() - well) / kj::MILLISECONDS / 1000.0);
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  cluster.expectSameState();
}

class CrawlingLoop: public Seeded {
protected:
  ~CrawlingLoop() noexcept override = default;

  // Acts like a busy processor until the returned promise is dropped.  Each delay is shorter than
  // what makes a node silent.  The time between is too short to go on without being late again.
  kj::Promise<void> holdUp(Process& process) {
    auto& timer = io.provider->getTimer();
    process.signal(SIGSTOP);
    return timer.afterDelay(400 * kj::MILLISECONDS)
        .then([&process, &timer]() {
          process.signal(SIGCONT);
          return timer.afterDelay(15 * kj::MILLISECONDS);
        })
        .then([this, &process]() { return holdUp(process); });
  }
};

TEST_F(CrawlingLoop, IsTakenOutAndLetInAgainWhenItIsWell) {
  Cluster::Options options;
  // Much longer than it is held up, so that it is never silent.
  options.masterFlags = {"--suspect-after", "10s"};
  options.clientTimeout = 120 * kj::SECONDS;
  Cluster cluster(io, options);
  gavel::testing::Workload load(io, cluster, gavel::testing::Workload::Options{4, 2, "", 200});
  load.runUntilSteady(100 * kj::MILLISECONDS);
  constexpr auto PATIENCE = 120 * kj::SECONDS;
  auto begin = clockNow();
  {
    auto held = holdUp(cluster.node(1)).eagerlyEvaluate(nullptr);
    cluster.until(
        "the member that is held up to be out", [&]() { return !cluster.chain().serves(1); },
        PATIENCE);
    EXPECT_THAT(cluster.noteOn(1), HasSubstr("slow: a turn of its event loop"));
  }
  cluster.node(1).signal(SIGCONT);
  load.runUntilSteady(100 * kj::MILLISECONDS, PATIENCE);
  auto out = clockNow() - begin;
  auto well = clockNow();
  cluster.untilWhole(PATIENCE);
  printf(
      "CRAWL a turn takes 0.4 s at one member: out after %.1f s, back %.1f s after it was well\n",
      out / kj::MILLISECONDS / 1000.0, (clockNow() - well) / kj::MILLISECONDS / 1000.0);
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  cluster.expectSameState();
}

}  // namespace
}  // namespace gavel::cluster
