#include "base/buffered-stream.h"

#include <cstring>
#include <string>

#include <gtest/gtest.h>
#include <kj/debug.h>

namespace gavel {
namespace {

// Counts the system calls that a socket would make, and can make writes wait or fail.
class CountingStream final: public kj::AsyncIoStream {
public:
  explicit CountingStream(kj::Own<kj::AsyncIoStream> inner): inner(kj::mv(inner)) {}

  unsigned reads = 0;
  unsigned writes = 0;
  bool blocked = false;
  bool broken = false;
  kj::Own<kj::PromiseFulfiller<void>> unblock;

  kj::Promise<std::size_t> tryRead(void* buffer, std::size_t min, std::size_t max) override {
    ++reads;
    return inner->tryRead(buffer, min, max).exclusiveJoin(end.addBranch().then([]() {
      return std::size_t(0);
    }));
  }
  kj::Promise<void> write(const void* buffer, std::size_t size) override {
    ++writes;
    if (broken) return KJ_EXCEPTION(DISCONNECTED, "broken pipe");
    if (!blocked) return inner->write(buffer, size);
    auto paf = kj::newPromiseAndFulfiller<void>();
    unblock = kj::mv(paf.fulfiller);
    return paf.promise.then([this, buffer, size]() { return inner->write(buffer, size); });
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    KJ_FAIL_REQUIRE("only one buffer at a time is expected");
  }
  kj::Promise<void> whenWriteDisconnected() override { return inner->whenWriteDisconnected(); }
  void shutdownWrite() override { inner->shutdownWrite(); }
  // Behaves like a socket: a read that is under way ends.
  void abortRead() override { ended.fulfiller->fulfill(); }

private:
  kj::PromiseFulfillerPair<void> ended = kj::newPromiseAndFulfiller<void>();
  kj::ForkedPromise<void> end = ended.promise.fork();
  kj::Own<kj::AsyncIoStream> inner;
};

class BufferedStreamTest: public ::testing::Test {
protected:
  BufferedStreamTest() {
    auto pipe = kj::newTwoWayPipe();
    far = kj::mv(pipe.ends[1]);
    auto counting = kj::heap<CountingStream>(kj::mv(pipe.ends[0]));
    counted = counting.get();
    stream = kj::heap<BufferedStream>(kj::mv(counting), timer);
  }
  ~BufferedStreamTest() noexcept override = default;

  void put(const std::string& text) {
    auto written = stream->write(text.data(), text.size());
    ASSERT_TRUE(written.poll(waitScope));
  }
  std::string arrived(std::size_t size) {
    std::string text(size, '\0');
    far->read(text.data(), size).wait(waitScope);
    return text;
  }
  std::string get(std::size_t size) {
    std::string text(size, '\0');
    stream->read(text.data(), size).wait(waitScope);
    return text;
  }

  kj::EventLoop loop;
  kj::WaitScope waitScope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  CountingStream* counted;
  kj::Own<kj::AsyncIoStream> far;
  kj::Own<BufferedStream> stream;
};

TEST_F(BufferedStreamTest, WhatIsWrittenInOneTurnLeavesInOneWrite) {
  auto one = stream->write("one", 3);
  kj::ArrayPtr<const kj::byte> pieces[] = {kj::StringPtr("two").asBytes(),
                                           kj::StringPtr("three").asBytes()};
  auto two = stream->write(pieces);
  EXPECT_EQ(counted->writes, 0u);
  EXPECT_EQ(arrived(11), "onetwothree");
  EXPECT_EQ(counted->writes, 1u);
}

TEST_F(BufferedStreamTest, ManySmallReadsCostOne) {
  auto sent = far->write("one two three", 13);
  EXPECT_EQ(get(3), "one");
  auto reads = counted->reads;
  EXPECT_EQ(get(1), " ");
  EXPECT_EQ(get(9), "two three");
  EXPECT_EQ(counted->reads, reads);
}

TEST_F(BufferedStreamTest, ReadIsCompletedByWhatComesLater) {
  std::string text(10, '\0');
  auto reading = stream->read(text.data(), 10, 10);
  auto sent = far->write("first", 5);
  EXPECT_FALSE(reading.poll(waitScope));
  auto rest = far->write("laterandmore", 12);
  EXPECT_EQ(reading.wait(waitScope), 10u);
  EXPECT_EQ(text, "firstlater");
  EXPECT_EQ(get(7), "andmore");
}

TEST_F(BufferedStreamTest, LargeMessagesPassInBothDirections) {
  std::string large(1'000'000, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31);
  auto out = stream->write(large.data(), large.size());
  EXPECT_EQ(arrived(large.size()), large);
  out.wait(waitScope);
  auto in = far->write(large.data(), large.size());
  EXPECT_EQ(get(100), large.substr(0, 100));
  EXPECT_EQ(get(large.size() - 100), large.substr(100));
}

TEST_F(BufferedStreamTest, EndIsToldAfterWhatCameBefore) {
  char buffer[10];
  auto reading = stream->tryRead(buffer, 10, 10);
  far->write("last", 4).wait(waitScope);
  far->shutdownWrite();
  EXPECT_EQ(reading.wait(waitScope), 4u);
  EXPECT_EQ(stream->tryRead(buffer, 1, 10).wait(waitScope), 0u);
}

TEST_F(BufferedStreamTest, ShutdownComesAfterWhatWasWritten) {
  put("last");
  stream->shutdownWrite();
  EXPECT_EQ(far->readAllText().wait(waitScope), "last");
}

TEST_F(BufferedStreamTest, WhatWasWrittenLeavesWhenItIsDestroyedInTheSameTurn) {
  auto reading = far->readAllText();
  { auto written = stream->write("last", 4); }
  stream = nullptr;
  EXPECT_EQ(reading.wait(waitScope), "last");
}

TEST_F(BufferedStreamTest, PeerThatDoesNotReadMakesWritersWait) {
  counted->blocked = true;
  std::string part(100'000, 'x');
  std::size_t taken = 0;
  kj::Promise<void> last = kj::READY_NOW;
  for (;;) {
    last = stream->write(part.data(), part.size());
    taken += part.size();
    if (!last.poll(waitScope)) break;
    ASSERT_LT(taken, 2'000'000u) << "it takes without bound";
  }
  counted->blocked = false;
  counted->unblock->fulfill();
  EXPECT_EQ(arrived(taken), std::string(taken, 'x'));
  last.wait(waitScope);
}

// The server's end of a connection.  The peer does not read the answers.
class BudgetedStreamTest: public BufferedStreamTest {
protected:
  BudgetedStreamTest() {
    budget.most = 1'000'000;
    budget.mostOfAll = 1'500'000;
    stream = serve(far, counted);
    counted->blocked = true;
  }

  kj::Own<BufferedStream> serve(kj::Own<kj::AsyncIoStream>& peer, CountingStream*& inner) {
    auto pipe = kj::newTwoWayPipe();
    peer = kj::mv(pipe.ends[1]);
    auto counting = kj::heap<CountingStream>(kj::mv(pipe.ends[0]));
    inner = counting.get();
    return kj::heap<BufferedStream>(kj::mv(counting), timer, budget);
  }
  // Leaves so many bytes to be sent.
  void leave(BufferedStream& on, std::size_t size) {
    std::string text(size, 'x');
    ASSERT_TRUE(on.write(text.data(), text.size()).poll(waitScope));
  }

  OutputBudget budget;
};

TEST_F(BudgetedStreamTest, PeerIsAskedForNoMoreUntilItReads) {
  auto question = far->write("question", 8);
  EXPECT_EQ(get(4), "ques");
  leave(*stream, 500'000);
  EXPECT_EQ(budget.used, 500'000u);
  EXPECT_EQ(get(4), "tion") << "that had arrived";
  char next;
  auto reading = stream->tryRead(&next, 1, 1);
  auto sent = far->write("!", 1);
  EXPECT_FALSE(reading.poll(waitScope));
  counted->blocked = false;
  counted->unblock->fulfill();
  EXPECT_EQ(arrived(500'000), std::string(500'000, 'x'));
  EXPECT_EQ(reading.wait(waitScope), 1u);
  EXPECT_EQ(next, '!');
  EXPECT_EQ(budget.used, 0u);
}

TEST_F(BudgetedStreamTest, PeerThatNeverReadsIsGivenUpAtABound) {
  leave(*stream, 500'000);
  char next;
  auto reading = stream->tryRead(&next, 1, 1);
  EXPECT_FALSE(reading.poll(waitScope));
  leave(*stream, 400'000);
  EXPECT_FALSE(reading.poll(waitScope));
  leave(*stream, 200'000);
  EXPECT_ANY_THROW(reading.wait(waitScope));
  EXPECT_ANY_THROW(stream->write("more", 4).wait(waitScope));
  EXPECT_ANY_THROW(stream->tryRead(&next, 1, 1).wait(waitScope));
  stream = nullptr;
  EXPECT_EQ(budget.used, 0u);
}

TEST_F(BudgetedStreamTest, PeerThatTakesNothingForLongIsGivenUp) {
  leave(*stream, 10);
  char next;
  auto reading = stream->tryRead(&next, 1, 1);
  EXPECT_FALSE(reading.poll(waitScope));
  timer.advanceTo(timer.now() + budget.patience);
  EXPECT_EQ(reading.wait(waitScope), 0u) << "the end, by which Cap'n Proto knows it is over";
  EXPECT_ANY_THROW(stream->write("more", 4).wait(waitScope));
}

TEST_F(BudgetedStreamTest, AllTogetherHaveABoundThatSparesThoseWithLittle) {
  kj::Own<kj::AsyncIoStream> peers[2];
  CountingStream* inner[2];
  auto second = serve(peers[0], inner[0]);
  auto third = serve(peers[1], inner[1]);
  for (auto* one: inner) one->blocked = true;
  leave(*stream, 900'000);
  leave(*third, 1'000);
  leave(*second, 700'000);
  EXPECT_EQ(budget.used, 901'000u + 700'000u) << "what is under way is still held";
  EXPECT_ANY_THROW(second->write("more", 4).wait(waitScope));
  leave(*third, 1'000);
  second = nullptr;
  EXPECT_EQ(budget.used, 902'000u);
}

TEST_F(BufferedStreamTest, FailureIsToldByTheNextWrite) {
  counted->broken = true;
  put("lost");
  waitScope.poll();
  EXPECT_ANY_THROW(stream->write("more", 4).wait(waitScope));
}

TEST_F(BufferedStreamTest, PeerThatNeverPausesDoesNotKeepTheLoopBusy) {
  std::string much(10'000'000, 'x');
  auto sent = far->write(much.data(), much.size());
  std::string text(much.size(), '\0');
  // The pieces are small, so they are read through the buffer.
  kj::Function<kj::Promise<void>(std::size_t)> readFrom = [&](std::size_t at) -> kj::Promise<void> {
    if (at == text.size()) return kj::READY_NOW;
    return stream->read(text.data() + at, 1000, 1000).then([&, at](std::size_t) {
      return readFrom(at + 1000);
    });
  };
  auto reading = readFrom(0);
  EXPECT_FALSE(reading.poll(waitScope)) << "nobody else had a turn";
  unsigned turns = 0;
  while (!reading.poll(waitScope)) {
    timer.advanceTo(timer.now() + 1 * kj::MICROSECONDS);
    ASSERT_LT(++turns, 1000u);
  }
  EXPECT_GT(turns, 20u);
  EXPECT_EQ(text, much);
}

}  // namespace
}  // namespace gavel
