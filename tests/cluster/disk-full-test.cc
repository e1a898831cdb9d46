#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <kj/io.h>

#include "tests/cluster/bulk.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/disk.h"
#include "tests/cluster/seeded.h"

// Disks that take no more: full, read-only, failing.  The node reports it and leaves at once, and
// the chain goes on.  When the disk is good again, the node joins again (R12).
namespace gavel::cluster {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr std::size_t SICK = 1;  // The node with that disk.
constexpr std::size_t MEGABYTE = 1 << 20;

class BadDisk: public Seeded {
protected:
  ~BadDisk() noexcept override = default;

  void SetUp() override {
    auto why = whyNoMounts(io);
    if (!why.has_value()) return;
    printf("FULL not tested: file systems cannot be mounted here\n");
    GTEST_SKIP() << "needs to mount file systems, as root: " << *why;
  }

  std::string place() const { return directory.path() + "/n2"; }
  std::string image() const { return directory.path() + "/n2.image"; }

  Cluster& start() {
    Cluster::Options options;
    options.data = directory.path();
    options.masterFlags = {"--flap-delay", "0s"};
    cluster = std::make_unique<Cluster>(io, options);
    load = std::make_unique<gavel::testing::Workload>(
        io, *cluster, gavel::testing::Workload::Options{8, 4, "", 500});
    load->runUntilSteady(100 * kj::MILLISECONDS);
    return *cluster;
  }

  // Waits until it has ended by itself and the others go on.  Returns the reason that it logged
  // last.
  std::string awaitEnd(kj::Duration patience = 30 * kj::SECONDS) {
    EXPECT_NE(cluster->node(SICK).wait(patience), 0);
    cluster->untilWithout(SICK);
    load->runUntilSteady(200 * kj::MILLISECONDS);
    return cluster->node(SICK).log();
  }

  // Its errors at a start now; empty if it starts.
  std::string errorsAtStart() {
    auto ended = cluster->tryRestartNode(SICK);
    if (!ended.has_value()) return "";
    EXPECT_EQ(ended->status, 1);
    return ended->errors;
  }

  // There may be just enough space for a start.
  void expectNoSpaceAtStart() {
    auto errors = errorsAtStart();
    if (!errors.empty()) {
      EXPECT_THAT(errors, AllOf(HasSubstr("no space left"), HasSubstr(place())));
    }
    cluster->node(SICK).kill();
  }

  void finish(const char* what) {
    auto begin = clockNow();
    cluster->restartNode(SICK);
    cluster->untilWhole(60 * kj::SECONDS);
    auto rejoined = clockNow() - begin;
    load->runUntilSteady(100 * kj::MILLISECONDS);
    load->stop();
    load->verify();
    cluster->expectSameState();
    EXPECT_EQ(load->unknown(), 0u);
    EXPECT_GT(load->acknowledged(), 100u) << "too little happened to prove anything";
    printf(
        "FULL %s: the node left, 0 of %zu acknowledged bids lost; back %.1f ms after its start\n",
        what, load->acknowledged(), rejoined / kj::MICROSECONDS / 1000.0);
  }

  gavel::testing::TemporaryDirectory directory;
  std::unique_ptr<Cluster> cluster;
  std::unique_ptr<gavel::testing::Workload> load;
};

// Makes so many bids that the disk is full with what the node stores.
void fill(kj::AsyncIoContext& io, Cluster& cluster, Bulk& bulk) {
  for (int i = 0; i < 400 && cluster.node(SICK).running(); ++i) bulk.bid(1).wait(io.waitScope);
}

TEST_F(BadDisk, FullWithWhatTheNodeStores) {
  MemoryDisk disk(place(), 48 * MEGABYTE);
  auto& cluster = start();
  Bulk bulk(io, cluster, 4'000);
  fill(io, cluster, bulk);
  EXPECT_THAT(awaitEnd(),
              AllOf(HasSubstr("no space left for the data directory"), HasSubstr(place())));
  expectNoSpaceAtStart();
  disk.resize(1024 * MEGABYTE);
  bulk.bid(1).wait(io.waitScope);
  finish("file system in memory, enlarged");
  bulk.verify();
}

TEST_F(BadDisk, FullWithSomethingElse) {
  LoopDisk disk(io, image(), place(), 256 * MEGABYTE);
  auto& cluster = start();
  auto other = place() + "/something-else";
  {
    int opened = 0;
    KJ_SYSCALL(opened = open(other.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    kj::AutoCloseFd fd(opened);
    auto room = std::filesystem::space(place()).available;
    KJ_SYSCALL(fallocate(opened, 0, 0, static_cast<off_t>(room)));
  }
  Bulk bulk(io, cluster, 4'000);
  fill(io, cluster, bulk);
  EXPECT_THAT(awaitEnd(),
              AllOf(HasSubstr("no space left for the data directory"), HasSubstr(place())));
  expectNoSpaceAtStart();
  std::filesystem::remove(other);
  finish("ext4, room made");
  bulk.verify();
}

TEST_F(BadDisk, FileSystemThatBecameReadOnly) {
  LoopDisk disk(io, image(), place(), 256 * MEGABYTE);
  start();
  disk.failReadOnly();
  // A sync that is under way at that moment fails with an I/O error.
  EXPECT_THAT(awaitEnd(),
              AllOf(HasSubstr("the data directory failed"), HasSubstr(place()),
                    AnyOf(HasSubstr("Read-only file system"), HasSubstr("Input/output error"))));
  EXPECT_THAT(errorsAtStart(), AllOf(HasSubstr(place()), HasSubstr("Read-only file system")));
  disk.unmount();
  disk.mount();
  disk.remountReadOnly();
  EXPECT_THAT(errorsAtStart(), AllOf(HasSubstr(place()), HasSubstr("Read-only file system")));
  disk.unmount();
  disk.mount();
  finish("ext4, became read-only");
}

TEST_F(BadDisk, SyncThatFails) {
  // The disk promises more space than the one below it has, and fails when that is used up.
  MemoryDisk below(directory.path() + "/below", 64 * MEGABYTE);
  LoopDisk disk(io, directory.path() + "/below/image", place(), 512 * MEGABYTE);
  auto& cluster = start();
  Bulk bulk(io, cluster, 4'000);
  fill(io, cluster, bulk);
  // The error depends on how much the kernel has written.
  EXPECT_THAT(awaitEnd(),
              AllOf(HasSubstr("leaving the chain"), HasSubstr(place()),
                    AnyOf(HasSubstr("Input/output error"), HasSubstr("Read-only file system"),
                          HasSubstr("No space left on device"))));
  cluster.node(SICK).kill();
  disk.unmount();
  below.resize(1024 * MEGABYTE);
  disk.mount();
  finish("a sync that fails");
  bulk.verify();
}

TEST_F(BadDisk, PowerOfOneNodeIsLost) {
  LoopDisk disk(io, image(), place(), 256 * MEGABYTE);
  start();
  disk.cutPower();
  EXPECT_THAT(awaitEnd(), AllOf(HasSubstr("the data directory failed"), HasSubstr(place()),
                                HasSubstr("Input/output error")));
  disk.unmount();
  disk.mount();
  finish("EIO on everything");
}

}  // namespace
}  // namespace gavel::cluster
