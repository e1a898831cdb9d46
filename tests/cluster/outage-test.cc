#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <kj/io.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/disk.h"
#include "tests/cluster/seeded.h"

// All lose power at once, with what was not synced.  The chain comes back with every acknowledged
// bid, even if a node is late, or has lost its disk, or has an older copy of it (R11).
namespace gavel::cluster {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t NODES = 3;
constexpr std::size_t DISK_BYTES = 512 << 20;
constexpr std::size_t UNSYNCED_BYTES = 64 << 10;
constexpr std::size_t CYCLES = 10;
constexpr auto OUTAGE_WAIT = 500 * kj::MILLISECONDS;

// How a node comes back.
struct Return {
  enum class Disk { same, empty, older } disk = Disk::same;
  enum class Time { atOnce, soon, late } time = Time::atOnce;
};

std::string describe(const Return& how) {
  std::string text = how.time == Return::Time::atOnce ? "at once"
                     : how.time == Return::Time::soon ? "soon"
                                                      : "late";
  switch (how.disk) {
    case Return::Disk::same:
      return text;
    case Return::Disk::empty:
      return text + " with an empty disk";
    case Return::Disk::older:
      return text + " with an older copy";
  }
  KJ_UNREACHABLE;
}

class PowerLoss: public Seeded {
protected:
  ~PowerLoss() noexcept override = default;

  void SetUp() override {
    auto why = whyNoMounts(io);
    if (why.has_value()) {
      printf("OUTAGE not tested: file systems cannot be mounted here\n");
      GTEST_SKIP() << "needs to mount file systems, as root: " << *why;
    }
    for (auto& name: {"master", "n1", "n2", "n3"}) {
      disks.push_back(std::make_unique<LoopDisk>(io, directory.path() + "/" + name + ".image",
                                                 directory.path() + "/" + name, DISK_BYTES));
    }
    Cluster::Options options;
    options.data = directory.path();
    options.masterFlags = {"--outage-wait", "500ms", "--flap-delay", "0s"};
    options.clientTimeout = 60 * kj::SECONDS;  // Bidders wait for the power to come back.
    cluster = std::make_unique<Cluster>(io, options);
  }

  void TearDown() override {
    if (HasFailure()) printf("what was done:\n%s", story.c_str());
  }

  // Files that show whether synced and unsynced data survived.
  void writeSynced(std::size_t cycle) {
    for (auto& disk: disks) write(*disk, "synced-" + std::to_string(cycle), true);
  }
  void writeUnsynced(std::size_t cycle) {
    for (auto& disk: disks) write(*disk, "unsynced-" + std::to_string(cycle), false);
  }
  void checkWritten(std::size_t cycle) {
    for (auto& disk: disks) {
      EXPECT_EQ(sizeOf(*disk, "synced-" + std::to_string(cycle)), UNSYNCED_BYTES);
      EXPECT_EQ(sizeOf(*disk, "unsynced-" + std::to_string(cycle)), 0u)
          << "nothing was lost: this test proves nothing";
    }
  }

  // Everything stops at one moment, and the disks are as after that.
  void losePower() {
    std::vector<LoopDisk*> order;
    for (auto& disk: disks) order.push_back(disk.get());
    // The master's first, so that it does not take nodes for lost whose power was lost a moment
    // earlier.
    shuffle(order);
    std::stable_partition(order.begin(), order.end(),
                          [&](LoopDisk* disk) { return disk == disks.front().get(); });
    bool processesFirst = chance(0.5);
    story += processesFirst ? "processes killed, power lost\n" : "power lost, processes killed\n";
    if (processesFirst) cluster->killAll();
    for (auto* disk: order) disk->cutPower();
    cluster->killAll();
    for (auto* disk: order) disk->unmount();
    for (auto* disk: order) disk->mount();
  }

  // Draws how the nodes come back.  At least one of them has all that it had, and is in time.
  std::vector<Return> drawReturns() {
    std::vector<Return> returns(NODES);
    for (auto& each: returns) {
      if (chance(0.4)) each.disk = chance(0.5) ? Return::Disk::empty : Return::Disk::older;
      if (chance(0.5)) each.time = chance(0.5) ? Return::Time::soon : Return::Time::late;
    }
    auto& source = returns[draw(NODES)];
    source.disk = Return::Disk::same;
    if (source.time == Return::Time::late) source.time = Return::Time::soon;
    return returns;
  }

  std::string older(std::size_t i) { return directory.path() + "/older-" + std::to_string(i); }

  void prepareDisk(std::size_t i, Return::Disk disk) {
    if (disk == Return::Disk::older && !fs::exists(older(i))) disk = Return::Disk::empty;
    if (disk == Return::Disk::empty) wipe(cluster->dataOf(i));
    if (disk == Return::Disk::older) replaceWith(cluster->dataOf(i), older(i));
  }

  // Keeps copies of the present disks for later.
  void keepCopies() {
    for (std::size_t i = 0; i < NODES; ++i) {
      fs::remove_all(older(i) + "-next");
      fs::copy(cluster->dataOf(i), older(i) + "-next", fs::copy_options::recursive);
    }
  }
  void ageCopies() {
    for (std::size_t i = 0; i < NODES; ++i) {
      if (!fs::exists(older(i) + "-next")) continue;
      fs::remove_all(older(i));
      fs::rename(older(i) + "-next", older(i));
    }
  }

  // Starts master and nodes as drawn, and waits until all of them serve.
  void restart(gavel::testing::Workload& load, std::vector<Return> returns) {
    for (std::size_t i = 0; i < NODES; ++i) {
      prepareDisk(i, returns[i].disk);
      story += "  n" + std::to_string(i + 1) + " comes back " + describe(returns[i]) + "\n";
    }
    auto order = inOrder(returns, Return::Time::atOnce);
    order.insert(order.begin() + static_cast<std::ptrdiff_t>(draw(order.size() + 1)), NODES);
    for (auto i: order) i == NODES ? cluster->restartMaster() : cluster->restartNode(i);
    for (auto i: inOrder(returns, Return::Time::soon)) {
      load.runFor(drawUpTo(OUTAGE_WAIT / 4));
      cluster->restartNode(i);
    }
    auto late = inOrder(returns, Return::Time::late);
    load.runUntilSteady(50 * kj::MILLISECONDS);
    back.add(clockNow() - began);
    for (auto i: late) cluster->restartNode(i);
    for (std::size_t i = 0; i < NODES; ++i) {
      if (returns[i].disk == Return::Disk::older) healIfRefused(i);
    }
    cluster->untilWhole();
    whole.add(clockNow() - began);
    ageCopies();
  }

  gavel::testing::TemporaryDirectory directory;
  std::vector<std::unique_ptr<LoopDisk>> disks;
  std::unique_ptr<Cluster> cluster;
  kj::TimePoint began = clockNow();
  Times back;
  Times whole;
  std::size_t refused = 0;
  std::string story;

private:
  std::vector<std::size_t> inOrder(const std::vector<Return>& returns, Return::Time time) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < NODES; ++i) {
      if (returns[i].time == time) order.push_back(i);
    }
    shuffle(order);
    return order;
  }

  // An older copy of a disk that was used since must not be taken in.  With an empty disk the node
  // may join.  If the disk was not used since, because the node went on with an empty one, its copy
  // is as good as any.
  void healIfRefused(std::size_t i) {
    auto isRefused = [&]() {
      return cluster->node(i).log().find("older copy") != std::string::npos;
    };
    cluster->until("an older copy to be refused, or to join",
                   [&]() { return isRefused() || cluster->chain().serves(i); });
    if (!isRefused()) return;
    EXPECT_FALSE(cluster->chain().serves(i));
    ++refused;
    cluster->node(i).kill();
    wipe(cluster->dataOf(i));
    cluster->restartNode(i);
  }

  static void write(const LoopDisk& disk, const std::string& name, bool synced) {
    auto path = disk.place() + "/" + name;
    int opened = 0;
    KJ_SYSCALL(opened = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644), path.c_str());
    kj::AutoCloseFd fd(opened);
    std::string bytes(UNSYNCED_BYTES, 'x');
    kj::FdOutputStream(opened).write(bytes.data(), bytes.size());
    if (synced) {
      KJ_SYSCALL(fsync(opened), path.c_str());
    }
  }

  static std::size_t sizeOf(const LoopDisk& disk, const std::string& name) {
    auto path = disk.place() + "/" + name;
    return fs::exists(path) ? fs::file_size(path) : 0;
  }
};

TEST_F(PowerLoss, EverywhereLosesNothingThatWasAcknowledged) {
  gavel::testing::Workload load(io, *cluster, 8, 4);
  for (std::size_t cycle = 0; cycle < CYCLES && !HasFailure(); ++cycle) {
    load.runUntilSteady(100 * kj::MILLISECONDS);
    writeSynced(cycle);
    load.runFor(drawUpTo(300 * kj::MILLISECONDS));
    std::vector<Return> returns(NODES);
    if (cycle % 3 == 2) {
      // In the middle of a join, nobody here can say which nodes serve.
      auto joiner = draw(NODES);
      story += "n" + std::to_string(joiner + 1) + " joins\n";
      cluster->node(joiner).kill();
      cluster->untilWithout(joiner);
      cluster->restartNode(joiner);
      load.runFor(drawUpTo(50 * kj::MILLISECONDS));
    } else {
      returns = drawReturns();
    }
    writeUnsynced(cycle);
    losePower();
    checkWritten(cycle);
    if (cycle % 2 == 0) keepCopies();
    if (cycle % 2 == 0) story += "copies are made\n";
    began = clockNow();
    restart(load, returns);
  }
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();
  cluster->expectSameState();
  EXPECT_EQ(load.unknown(), 0u) << "60 s are enough to learn any outcome";
  EXPECT_GT(load.acknowledged(), 20 * CYCLES) << "too little happened to prove anything";
  printf(
      "OUTAGE power lost everywhere x%zu: 0 of %zu acknowledged bids lost; bids again after %s; "
      "full length after %s; %zu older copies refused\n",
      CYCLES, load.acknowledged(), back.text().c_str(), whole.text().c_str(), refused);
}

}  // namespace
}  // namespace gavel::cluster
