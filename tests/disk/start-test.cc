#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <kj/debug.h>

#include "base/logging.h"
#include "log/durable-marker.h"
#include "store/data-directory.h"
#include "store/rocks-store.h"
#include "tests/disk/keeper.h"
#include "tests/disk/test-disk.h"
#include "tests/store/auctioneer.h"
#include "tests/support/fakes.h"

// What a start finds on its disk, and what it does then (R2).
namespace gavel::disk {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

bool nothing(Contents::Id) {
  return false;
}

// Keeps the log messages.
class Log final: public LogSink {
public:
  std::string text;

  Log() { setLogSink(this); }
  ~Log() noexcept(false) override { setLogSink(nullptr); }
  void event(LogLevel, std::string_view event, std::initializer_list<LogField> fields) override {
    text += logText(event, fields) + "\n";
  }
  [[noreturn]] void died(std::string_view event, std::initializer_list<LogField>) override {
    throw std::runtime_error(std::string(event));
  }
};

class StartTest: public ::testing::Test {
protected:
  ~StartTest() noexcept override = default;

  kj::AsyncIoContext io = kj::setupAsyncIo();
  gavel::testing::SeededRandom random{1};
  Log log;

  static Contents fresh() {
    TestDisk disk{Contents()};
    disk.makeDirectories("/var");
    disk.syncDirectory("/");
    return disk.contents();
  }
  kj::Own<RocksStore> open(TestDisk& disk) {
    return kj::heap<RocksStore>(Keeper::DIRECTORY, Keeper::options(disk), random);
  }
  // The reason why opening is refused; empty if it is not.  There is room for everything later.
  std::string openError(TestDisk& disk) {
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                   auto store = open(disk);
                   disk.setRoom(UINT64_MAX);
                 })) {
      return exception->getDescription().cStr();
    }
    return "";
  }
  void append(RocksStore& store, Auctioneer& auctioneer) {
    store.append(auctioneer.next(10));
    auto durable = store.durableAbove(auctioneer.end.index - 1).wait(io.waitScope);
    ASSERT_EQ(durable, auctioneer.end.index);
  }
};

TEST_F(StartTest, TheFirstOneMayFindNoRoomAndIsNotDamagedThen) {
  unsigned refused = 0;
  for (std::uint64_t room = 0;; room += 509) {
    TestDisk disk(fresh());
    disk.setRoom(room);
    auto error = openError(disk);
    if (error.empty()) break;
    ++refused;
    EXPECT_THAT(error, AllOf(HasSubstr("has no space left"), HasSubstr(Keeper::DIRECTORY)));
    disk.setRoom(UINT64_MAX);
    auto store = open(disk);
    EXPECT_EQ(store->recovered().damage, "") << "there was room for " << room << " bytes";
    EXPECT_TRUE(store->recovered().empty);
    if (HasFailure()) break;
  }
  EXPECT_GT(refused, 20u);
}

// A checkpoint is not synced, and a process that is killed leaves it in the page cache.  Once the
// next process has reported it, it must not be lost.
TEST_F(StartTest, WhatRocksDbReadOfItsLogIsInTablesBeforeItIsTold) {
  Auctioneer auctioneer;
  Contents left;
  {
    TestDisk disk(fresh());
    auto store = open(disk);
    append(*store, auctioneer);
    store->checkpoint(auctioneer.end, auctioneer.state.capture()).wait(io.waitScope);
    left = disk.contents();
    TestDisk lost(left.afterPowerLoss(nothing));
    EXPECT_EQ(open(lost)->load().wait(io.waitScope).checkpoint, Position())
        << "it was not synced, so that this shows something";
  }
  {
    TestDisk disk(left);
    auto store = open(disk);
    EXPECT_EQ(store->load().wait(io.waitScope).checkpoint, auctioneer.end);
    left = disk.contents();
  }
  TestDisk disk(left.afterPowerLoss(nothing));
  EXPECT_EQ(open(disk)->load().wait(io.waitScope).checkpoint, auctioneer.end);
}

// After a failed sync, everything reads well and counts as clean, though it is not on the disk.
TEST_F(StartTest, WritesAnewWhatIsReadBackAfterASyncThatFailed) {
  Auctioneer auctioneer;
  Contents left;
  {
    TestDisk disk(fresh());
    auto store = open(disk);
    append(*store, auctioneer);
    auctioneer.next(10);
    // The process that dies of it has this view.
    disk.setBefore([&](const Operation& operation, Contents& contents) {
      if (operation.what != Operation::What::sync) return;
      left = contents;
      left.failSync(operation.id, nothing);
    });
    store->append(auctioneer.log.back());
    store->durableAbove(10).wait(io.waitScope);
    disk.setBefore(nullptr);
  }
  {
    TestDisk lost(left.afterPowerLoss(nothing));
    EXPECT_EQ(open(lost)->load().wait(io.waitScope).end().index, 10u);
  }
  {
    TestDisk disk(left);
    auto store = open(disk);
    EXPECT_EQ(store->durableAbove(10).wait(io.waitScope), 20u) << "it reads well";
    left = disk.contents();
  }
  TestDisk disk(left.afterPowerLoss(nothing));
  EXPECT_EQ(open(disk)->load().wait(io.waitScope).end(), auctioneer.end);
}

TEST_F(StartTest, SaysThatASyncHadFailedOnce) {
  TestDisk disk(fresh());
  open(disk);
  DataDirectory(Keeper::DIRECTORY, disk).noteFailure("failed to sync its log: Input/output error");
  EXPECT_EQ(open(disk)->recovered().damage, "");
  EXPECT_THAT(log.text, AllOf(HasSubstr("the disk failed an earlier process"),
                              HasSubstr("Input/output error"), HasSubstr(Keeper::DIRECTORY)));
  log.text.clear();
  EXPECT_EQ(open(disk)->recovered().damage, "");
  EXPECT_EQ(log.text, "");
}

TEST_F(StartTest, NotesThatItsOwnSyncFailed) {
  TestDisk disk(fresh());
  open(disk);
  disk.failNextSync("segment-");
  EXPECT_THAT(openError(disk), AllOf(HasSubstr("failed to"), HasSubstr("Input/output error")));
  EXPECT_THAT(openError(disk), "");
  EXPECT_THAT(log.text, HasSubstr("the disk failed an earlier process"));
}

TEST_F(StartTest, TakesAMarkerThatWasCutShortForNone) {
  for (std::size_t size: {0, 1, 88, 4095, 4096, 4200, 8191}) {
    TestDisk disk(fresh());
    auto file = disk.open("/durable", FileSystem::Missing::make);
    if (size > 0) file->write(0, bytesOfText(std::string(size, '\0')));
    MarkerFile marker("/durable", disk);
    EXPECT_TRUE(marker.recovered() == nullptr) << size;
    EXPECT_FALSE(marker.unreadable()) << size;
    EXPECT_EQ(file->size(), 8192u) << "so that later writes need no room";
  }
}

}  // namespace
}  // namespace gavel::disk
