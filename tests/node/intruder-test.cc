#include <gmock/gmock.h>

#include "tests/node/chain-fixture.h"

// Whatever one connection does, the node serves the others.
namespace gavel::node {
namespace {

class Intruder: public ChainFixture {
protected:
  ~Intruder() noexcept override = default;

  Intruder() {
    startChain(1);
    client = connect(0);
    session = openSession(client);
    createAuction(client, session, 1, "lamp");
  }

  kj::Own<kj::AsyncIoStream> rawConnection() {
    return io.provider->getNetwork()
        .parseAddress(nodes[0]->address.c_str())
        .wait(io.waitScope)
        ->connect()
        .wait(io.waitScope);
  }

  void expectStillServing() {
    auto response = within(bid(client, session, ++sequence, ++amount), "a bid");
    EXPECT_TRUE(response.getOutcome().isSuccess());
  }

  // Resolves when the node has closed the connection.
  void expectClosed(kj::AsyncIoStream& stream) {
    auto buffer = kj::heapArray<kj::byte>(4096);
    while (within(stream.tryRead(buffer.begin(), 1, buffer.size()), "the end of the connection") >
           0) {
    }
  }

  schema::NodeService::Client client = nullptr;
  std::uint64_t session = 0;
  std::uint64_t sequence = 1;
  std::int64_t amount = 100;
};

TEST_F(Intruder, SpeakingHttpLosesItsConnectionOnly) {
  auto stream = rawConnection();
  kj::StringPtr text = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  stream->write(text.begin(), text.size()).wait(io.waitScope);
  stream->shutdownWrite();
  expectClosed(*stream);
  expectStillServing();
}

TEST_F(Intruder, RandomBytesLoseTheirConnectionOnly) {
  for (int round = 0; round < 50; ++round) {
    auto stream = rawConnection();
    kj::byte bytes[256];
    for (auto& byte: bytes) byte = static_cast<kj::byte>(random.next());
    stream->write(bytes, sizeof(bytes)).wait(io.waitScope);
    stream->shutdownWrite();
    expectClosed(*stream);
  }
  expectStillServing();
}

TEST_F(Intruder, AnnouncingAGibibyteLosesItsConnectionOnly) {
  auto stream = rawConnection();
  // One segment of 2^27 words.
  const kj::byte header[8] = {0, 0, 0, 0, 0, 0, 0, 8};
  stream->write(header, sizeof(header)).wait(io.waitScope);
  expectClosed(*stream);
  expectStillServing();
}

TEST_F(Intruder, ClosingInTheMiddleOfAMessageHarmsNobody) {
  {
    auto stream = rawConnection();
    const kj::byte header[12] = {0, 0, 0, 0, 100, 0, 0, 0, 1, 2, 3, 4};
    stream->write(header, sizeof(header)).wait(io.waitScope);
  }
  settle();
  expectStillServing();
}

TEST_F(Intruder, ManyConnectionsAreRefusedAtTheLimitAndServedAgainBelowIt) {
  std::vector<kj::Own<kj::AsyncIoStream>> streams;
  for (int i = 0; i < 150; ++i) streams.push_back(rawConnection());  // The fixture allows 100.
  expectClosed(*streams.back());
  expectStillServing();
  EXPECT_LE(nodes[0]->server.connections(), 100u);
  streams.clear();
  until("the connections to be gone", [&]() { return nodes[0]->server.connections() == 1; });
  auto another = connect(0);
  EXPECT_EQ(result(another).getAnswer().getAuction().getBids(), 1u);
}

TEST_F(Intruder, AttachmentFromAStrangerIsRejected) {
  auto request = client.attachRequest();
  request.initHeader().setClusterId(configuration.clusterId);
  request.getHeader().setEpoch(configuration.epoch);
  request.getHeader().setSender(12345);
  request.getHeader().setReceiver(replica(0).incarnation());
  request.setProtocolVersion(schema::PROTOCOL_VERSION);
  auto response = within(request.send(), "an answer");
  EXPECT_TRUE(response.getResult().isRejected());
  expectStillServing();
}

TEST_F(Intruder, AttachmentForAnotherClusterOrProcessIsRejected) {
  for (bool otherCluster: {true, false}) {
    auto request = client.attachRequest();
    request.initHeader().setClusterId(configuration.clusterId + (otherCluster ? 1 : 0));
    request.getHeader().setEpoch(configuration.epoch);
    request.getHeader().setReceiver(replica(0).incarnation() + (otherCluster ? 0 : 1));
    request.setProtocolVersion(schema::PROTOCOL_VERSION);
    auto response = within(request.send(), "an answer");
    ASSERT_TRUE(response.getResult().isRejected());
    EXPECT_EQ(response.getResult().getRejected().getReason(),
              schema::Rejection::Reason::NOT_ADDRESSED);
  }
}

TEST_F(Intruder, LowerEpochIsRejectedWithTheNewerConfiguration) {
  auto old = configuration.epoch;
  relink({0});
  auto request = client.forwardRequest();
  request.initHeader().setClusterId(configuration.clusterId);
  request.getHeader().setEpoch(old);
  request.getHeader().setReceiver(replica(0).incarnation());
  auto response = within(request.send(), "an answer");
  ASSERT_TRUE(response.getResult().isRejected());
  auto rejected = response.getResult().getRejected();
  EXPECT_EQ(rejected.getReason(), schema::Rejection::Reason::LOWER_EPOCH);
  EXPECT_EQ(rejected.getConfiguration().getEpoch(), configuration.epoch);
}

TEST_F(Intruder, OtherProtocolVersionIsRefusedByName) {
  auto request = client.attachRequest();
  request.setProtocolVersion(schema::PROTOCOL_VERSION + 1);
  auto failure = within(request.send().then([](auto&&) { return kj::str("no error"); },
                                            [](kj::Exception&& e) { return kj::str(e); }),
                        "a failure");
  EXPECT_THAT(failure.cStr(), ::testing::HasSubstr("another version of the protocol"));
}

}  // namespace
}  // namespace gavel::node
