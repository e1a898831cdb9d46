#include "base/tcp-progress.h"

#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <kj/debug.h>

#include "base/tcp-info.h"
#include "tests/support/loopback.h"

namespace gavel {
namespace {

TEST(TcpInfo, IsReadAsItIsWrittenAndAsFarAsTheKernelGoes) {
  TcpInfo info;
  info.bytesAcked = 12'345'678'901;
  info.unacked = 3;
  info.notSentBytes = 77;
  info.sendWindow = 65'535;
  info.knowsSendWindow = true;
  char answer[TCP_INFO_ROOM];
  auto size = writeTcpInfo(info, answer, sizeof(answer));
  TcpInfo read;
  ASSERT_TRUE(readTcpInfo(answer, size, read));
  EXPECT_EQ(read.bytesAcked, info.bytesAcked);
  EXPECT_EQ(read.unacked, info.unacked);
  EXPECT_EQ(read.notSentBytes, info.notSentBytes);
  EXPECT_EQ(read.sendWindow, info.sendWindow);
  EXPECT_TRUE(read.knowsSendWindow);

  info.knowsSendWindow = false;  // An older kernel.
  size = writeTcpInfo(info, answer, sizeof(answer));
  ASSERT_TRUE(readTcpInfo(answer, size, read));
  EXPECT_FALSE(read.knowsSendWindow);
  EXPECT_FALSE(readTcpInfo(answer, 100, read)) << "too short for anything";
}

class TcpProgressTest: public ::testing::Test {
protected:
  ~TcpProgressTest() noexcept override = default;
  kj::AsyncIoContext io = kj::setupAsyncIo();
};

TEST_F(TcpProgressTest, TellsWhatTheOtherKernelHas) {
  auto address = io.provider->getNetwork().parseAddress(testing::ownAddress()).wait(io.waitScope);
  auto listener = address->listen();
  auto there = io.provider->getNetwork()
                   .parseAddress(testing::ownHost(), listener->getPort())
                   .wait(io.waitScope);
  auto stream = there->connect().wait(io.waitScope);
  auto other = listener->accept().wait(io.waitScope);
  auto before = KJ_ASSERT_NONNULL(tcpProgressOf(*stream));
  EXPECT_FALSE(before.outstanding);

  // Nobody reads it, but it arrives.
  stream->write("hello", 5).wait(io.waitScope);
  auto acked = [&]() { return KJ_ASSERT_NONNULL(tcpProgressOf(*stream)).acked - before.acked; };
  while (acked() < 5) io.provider->getTimer().afterDelay(kj::MILLISECONDS).wait(io.waitScope);
  EXPECT_EQ(acked(), 5u);
  EXPECT_FALSE(KJ_ASSERT_NONNULL(tcpProgressOf(*stream)).outstanding);

  // More than there is room for.
  auto much = kj::heapArray<char>(64 * 1024 * 1024);
  memset(much.begin(), 0, much.size());
  auto writing = stream->write(much.begin(), much.size()).eagerlyEvaluate(nullptr);
  auto isFull = [&]() {
    auto progress = KJ_ASSERT_NONNULL(tcpProgressOf(*stream));
    return progress.outstanding && !progress.windowOpen;
  };
  while (!isFull()) io.provider->getTimer().afterDelay(kj::MILLISECONDS).wait(io.waitScope);
  EXPECT_FALSE(writing.poll(io.waitScope));
}

TEST_F(TcpProgressTest, IsNotKnownOfAUnixSocket) {
  auto pipe = io.provider->newTwoWayPipe();
  EXPECT_EQ(tcpProgressOf(*pipe.ends[0]), nullptr);
}

}  // namespace
}  // namespace gavel
