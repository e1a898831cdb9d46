
#include "tests/simulation/wire.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "base/tcp-progress.h"

namespace gavel::simulation {
namespace {

using ::testing::HasSubstr;

// A client on one machine, a server on another, and what each has received from the other.
class WireTest: public ::testing::Test {
protected:
  // What runs at one end.
  struct Peer {
    kj::Own<kj::Network> network;
    kj::Own<kj::ConnectionReceiver> receiver;
    kj::Own<kj::AsyncIoStream> stream;
    kj::byte buffer[64];
    std::string got;
    std::string end;      // How the stream ended.
    std::string failure;  // To connect, or to write.
    std::size_t written = 0;
    kj::Promise<void> task = nullptr;
    kj::Promise<void> writing = nullptr;
    kj::Promise<void> starting = nullptr;
    kj::Promise<void> accepting = nullptr;
    bool reads = true;

    kj::Promise<void> read() {
      return stream->tryRead(buffer, 1, sizeof(buffer)).then([this](std::size_t size) {
        if (size == 0) {
          end = "end";
          return kj::Promise<void>(kj::READY_NOW);
        }
        got.append(reinterpret_cast<char*>(buffer), size);
        return read();
      });
    }
    void follow() {
      if (!reads) return;
      task = read().eagerlyEvaluate(
          [this](kj::Exception&& exception) { end = exception.getDescription().cStr(); });
    }
    kj::Promise<void> accept() {
      return receiver->accept().then([this](kj::Own<kj::AsyncIoStream> accepted) {
        stream = kj::mv(accepted);
        follow();
      });
    }
  };

  WireTest() {
    a = wire.addHost("a");
    b = wire.addHost("b");
    startServer();
    client = &engine.newProcess("client", Dice(3), wallOffset);
    client->onDeath = [this]() { wire.processEnded(*client); };
  }
  ~WireTest() noexcept override { engine.shutDown(); }

  Trace trace{Trace::Detail::none};
  Engine engine{trace};
  Wire wire{engine, Dice(7)};
  std::int64_t wallOffset = 0;
  Host a, b;
  Process* server = nullptr;
  Process* client = nullptr;
  Peer* there = nullptr;
  Peer* here = nullptr;

  void startServer() {
    server = &engine.newProcess("server", Dice(2), wallOffset);
    server->onDeath = [this, process = server]() {
      if (wire.hasPower(b)) wire.processEnded(*process);
    };
    engine.deliver(*server, [this]() {
      auto peer = kj::heap<Peer>();
      there = peer.get();
      peer->network = wire.network(*server, b);
      server->program = kj::mv(peer);
      there->starting = there->network->parseAddress("b:1")
                            .then([this](kj::Own<kj::NetworkAddress> address) {
                              there->receiver = address->listen();
                              there->accepting = there->accept().eagerlyEvaluate(nullptr);
                            })
                            .eagerlyEvaluate(nullptr);
    });
  }
  void connect(kj::StringPtr address = "b:1") {
    engine.deliver(*client, [this, address]() {
      auto peer = kj::heap<Peer>();
      here = peer.get();
      peer->network = wire.network(*client, a);
      client->program = kj::mv(peer);
      here->starting =
          here->network->parseAddress(address)
              .then([](kj::Own<kj::NetworkAddress> parsed) { return parsed->connect(); })
              .then([this](kj::Own<kj::AsyncIoStream> stream) {
                here->stream = kj::mv(stream);
                here->follow();
              })
              .eagerlyEvaluate([this](kj::Exception&& exception) {
                here->failure = exception.getDescription().cStr();
              });
    });
  }
  void write(Process& process, Peer& peer, std::string text) {
    engine.deliver(process, [&peer, text]() {
      auto bytes = kj::heapString(text.c_str(), text.size());
      auto* begin = bytes.begin();
      auto size = bytes.size();
      peer.writing = peer.stream->write(begin, size)
                         .attach(kj::mv(bytes))
                         .then([&peer, size]() { peer.written += size; })
                         .eagerlyEvaluate([&peer](kj::Exception&& exception) {
                           peer.failure = exception.getDescription().cStr();
                         });
    });
  }
  void go(Time time) {
    engine.run(engine.now() + time, []() { return false; });
  }
  void connected() {
    connect();
    go(1 * kj::SECONDS);
    ASSERT_TRUE(here->stream.get() != nullptr);
    ASSERT_TRUE(there->stream.get() != nullptr);
  }
};

TEST_F(WireTest, DeliversBytesInOrderAndLater) {
  connected();
  for (int i = 0; i < 50; ++i) write(*client, *here, std::to_string(i) + ",");
  EXPECT_EQ(there->got, "");
  go(1 * kj::SECONDS);
  std::string all;
  for (int i = 0; i < 50; ++i) all += std::to_string(i) + ",";
  EXPECT_EQ(there->got, all);
  write(*server, *there, "back");
  go(1 * kj::SECONDS);
  EXPECT_EQ(here->got, "back");
}

TEST_F(WireTest, RefusesWhereNobodyListens) {
  connect("b:2");
  go(1 * kj::SECONDS);
  EXPECT_EQ(here->failure, "connection refused");
}

TEST_F(WireTest, IsSilentAfterACutAndGoesOnAfterIt) {
  wire.cut(a, b);
  connect();
  go(3 * kj::SECONDS);
  EXPECT_TRUE(here->stream.get() == nullptr && here->failure.empty());
  wire.heal(a, b);
  go(2 * kj::SECONDS);
  EXPECT_TRUE(here->stream.get() != nullptr);
}

TEST_F(WireTest, HoldsBytesBackDuringACut) {
  connected();
  wire.cut(a, b);
  write(*client, *here, "one");
  write(*server, *there, "other way");
  go(100 * kj::MILLISECONDS);
  EXPECT_EQ(there->got, "");
  EXPECT_EQ(here->got, "other way");  // In this direction only.
  write(*client, *here, "two");
  go(100 * kj::MILLISECONDS);
  wire.heal(a, b);
  go(1 * kj::SECONDS);
  EXPECT_EQ(there->got, "onetwo");
}

TEST_F(WireTest, LosesLargeMessagesOnly) {
  connected();
  wire.limit(a, b, 100);
  write(*client, *here, "small");
  go(100 * kj::MILLISECONDS);
  EXPECT_EQ(there->got, "small");
  std::string large(200, 'x');
  write(*client, *here, large);
  go(100 * kj::MILLISECONDS);
  write(*client, *here, "after it");
  write(*server, *there, large);
  go(100 * kj::MILLISECONDS);
  EXPECT_EQ(there->got, "small") << "what follows waits";
  EXPECT_EQ(here->got, large) << "one way only";
  wire.limit(a, b, 0);
  go(1 * kj::SECONDS);
  EXPECT_EQ(there->got, "small" + large + "after it");
}

TEST_F(WireTest, TheKernelTellsWhatTheOtherOneHas) {
  connected();
  auto progress = [&]() { return KJ_ASSERT_NONNULL(tcpProgressOf(*here->stream)); };
  write(*client, *here, "one");
  go(100 * kj::MILLISECONDS);
  EXPECT_EQ(progress().acked, 3u);
  EXPECT_FALSE(progress().outstanding);
  EXPECT_TRUE(progress().windowOpen);

  wire.cut(a, b);
  write(*client, *here, "two");
  go(100 * kj::MILLISECONDS);
  EXPECT_EQ(progress().acked, 3u);
  EXPECT_TRUE(progress().outstanding);
  wire.heal(a, b);
  go(1 * kj::SECONDS);
  EXPECT_EQ(progress().acked, 6u);

  wire.cut(b, a);  // The acknowledgment is lost.
  write(*client, *here, "three");
  go(100 * kj::MILLISECONDS);
  EXPECT_EQ(there->got, "onetwothree");
  EXPECT_EQ(progress().acked, 6u);
  wire.heal(b, a);
  go(1 * kj::SECONDS);
  EXPECT_EQ(progress().acked, 11u);
}

TEST_F(WireTest, CountsCutsOfOneLink) {
  connected();
  wire.cut(a, b);
  wire.cut(a, b);
  write(*client, *here, "x");
  wire.heal(a, b);
  go(200 * kj::MILLISECONDS);
  EXPECT_EQ(there->got, "");
  wire.heal(a, b);
  go(1 * kj::SECONDS);
  EXPECT_EQ(there->got, "x");
}

TEST_F(WireTest, MakesAWriterWaitForAReader) {
  there->reads = false;
  connected();
  std::string much(1'000'000, 'x');
  write(*client, *here, much);
  go(1 * kj::SECONDS);
  EXPECT_EQ(here->written, 0u);
  engine.deliver(*server, [&]() {
    there->reads = true;
    there->follow();
  });
  go(60 * kj::SECONDS);
  EXPECT_EQ(here->written, much.size());
  EXPECT_EQ(there->got.size(), much.size());
}

TEST_F(WireTest, TellsPeersOfAKilledProcess) {
  connected();
  write(*server, *there, "last");
  engine.kill(*server, "test");
  go(1 * kj::SECONDS);
  EXPECT_EQ(here->got, "last");  // It had left the machine.
  EXPECT_EQ(here->end, "end");
  write(*client, *here, "x");
  go(1 * kj::SECONDS);
  write(*client, *here, "x");
  EXPECT_THAT(here->failure, HasSubstr("reset"));
}

TEST_F(WireTest, ResetsAtTheDeathOfWhoHasNotReadAll) {
  there->reads = false;
  connected();
  write(*client, *here, "x");
  go(1 * kj::SECONDS);
  engine.kill(*server, "test");
  go(1 * kj::SECONDS);
  EXPECT_THAT(here->end, HasSubstr("reset"));
}

TEST_F(WireTest, TellsNobodyOfALossOfPowerUntilTheMachineIsBack) {
  connected();
  wire.powerOff(b);
  engine.kill(*server, "power");
  wire.processEnded(*server);
  write(*client, *here, "x");
  go(200 * kj::MILLISECONDS);
  EXPECT_EQ(here->end, "");
  wire.powerOn(b);
  startServer();
  go(1 * kj::SECONDS);
  EXPECT_THAT(here->end, HasSubstr("reset"));
  EXPECT_EQ(there->got, "");
}

TEST_F(WireTest, AcceptsForAPausedProcessWhatItFindsLater) {
  engine.pause(*server);
  connect();
  go(1 * kj::SECONDS);
  ASSERT_TRUE(here->stream.get() != nullptr);  // Its kernel has answered.
  write(*client, *here, "x");
  go(1 * kj::SECONDS);
  EXPECT_TRUE(there->stream.get() == nullptr);
  engine.resume(*server);
  EXPECT_EQ(there->got, "x");
}

TEST_F(WireTest, ResetsBothEnds) {
  connected();
  EXPECT_EQ(wire.reset(b, a), 1u);
  go(1 * kj::SECONDS);
  EXPECT_THAT(here->end, HasSubstr("reset"));
  EXPECT_THAT(there->end, HasSubstr("reset"));
  EXPECT_EQ(wire.reset(a, b), 0u);
}

TEST_F(WireTest, SendsNothingFromAProcessThatDies) {
  connected();
  engine.deliver(*client, [&]() {
    engine.exit("test");
    auto write = here->stream->write("x", 1);
    here->writing = write.eagerlyEvaluate(nullptr);
  });
  go(1 * kj::SECONDS);
  EXPECT_EQ(there->got, "");
  EXPECT_EQ(there->end, "end");
}

TEST_F(WireTest, TakesLongerOnASlowLink) {
  connected();
  wire.slow(a, b, 400 * kj::MILLISECONDS);
  write(*client, *here, "x");
  go(150 * kj::MILLISECONDS);
  EXPECT_EQ(there->got, "");
  go(1 * kj::SECONDS);
  EXPECT_EQ(there->got, "x");
}

}  // namespace
}  // namespace gavel::simulation
