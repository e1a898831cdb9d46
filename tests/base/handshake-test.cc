#include "base/handshake.h"

#include <fstream>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/support/fakes.h"

namespace gavel {
namespace {

using ::testing::HasSubstr;

// A server at the other end of every connection.
class Handshake: public ::testing::Test {
protected:
  ~Handshake() noexcept override = default;

  class OneServer final: public kj::NetworkAddress {
  public:
    explicit OneServer(Handshake& test): test(test) {}
    kj::Promise<kj::Own<kj::AsyncIoStream>> connect() override {
      auto pipe = kj::newTwoWayPipe();
      test.serve(kj::mv(pipe.ends[1]));
      return kj::mv(pipe.ends[0]);
    }
    kj::Own<kj::ConnectionReceiver> listen() override { KJ_UNIMPLEMENTED("not needed here"); }
    kj::Own<kj::NetworkAddress> clone() override { return kj::heap<OneServer>(test); }
    kj::String toString() override { return kj::str("server:1"); }

  private:
    Handshake& test;
  };
  class OneNetwork final: public kj::Network {
  public:
    explicit OneNetwork(Handshake& test): test(test) {}
    kj::Promise<kj::Own<kj::NetworkAddress>> parseAddress(kj::StringPtr, unsigned) override {
      return kj::Own<kj::NetworkAddress>(kj::heap<OneServer>(test));
    }
    kj::Own<kj::NetworkAddress> getSockaddr(const void*, unsigned) override {
      KJ_UNIMPLEMENTED("not needed here");
    }
    kj::Own<kj::Network> restrictPeers(kj::ArrayPtr<const kj::StringPtr>,
                                       kj::ArrayPtr<const kj::StringPtr>) override {
      KJ_UNIMPLEMENTED("not needed here");
    }

  private:
    Handshake& test;
  };

  void serve(kj::Own<kj::AsyncIoStream> end) {
    stream = kj::heap<BufferedStream>(kj::mv(end), timer);
    accepting = acceptRole(*stream, secrets)
                    .then(
                        [this](ConnectionRole role) {
                          outcome = role == ConnectionRole::peer    ? "peer"
                                    : role == ConnectionRole::admin ? "admin"
                                                                    : "anyone";
                        },
                        [this](kj::Exception&& exception) {
                          outcome = exception.getDescription().cStr();
                          stream = nullptr;
                        })
                    .eagerlyEvaluate(nullptr);
  }

  // The caller's result; the server's is in `outcome`.
  std::string prove(ConnectionRole role, const std::string& secret) {
    ProvingNetwork proving(network, role, Secret(secret));
    return proving.parseAddress("server:1", 0)
        .then([](kj::Own<kj::NetworkAddress> address) { return address->connect(); })
        .then(
            [this](kj::Own<kj::AsyncIoStream> connected) {
              caller = kj::mv(connected);
              return std::string("connected");
            },
            [](kj::Exception&& exception) {
              return std::string(exception.getDescription().cStr());
            })
        .wait(waitScope);
  }
  std::string serverSays() {
    waitScope.poll();
    return outcome;
  }

  kj::EventLoop loop;
  kj::WaitScope waitScope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  OneNetwork network{*this};
  Secrets secrets{Secret("the peers' secret"), Secret("the operators' token")};
  kj::Own<BufferedStream> stream;
  kj::Promise<void> accepting = nullptr;
  kj::Own<kj::AsyncIoStream> caller;
  std::string outcome;
};

TEST_F(Handshake, RoleIsProvedByItsSecretOnly) {
  EXPECT_EQ(prove(ConnectionRole::peer, "the peers' secret"), "connected");
  EXPECT_EQ(serverSays(), "peer");
  outcome.clear();
  EXPECT_EQ(prove(ConnectionRole::admin, "the operators' token"), "connected");
  EXPECT_EQ(serverSays(), "admin");
  outcome.clear();
  EXPECT_EQ(prove(ConnectionRole::admin, "the peers' secret"),
            "server:1 does not know this admin token: it has another one, or none");
  secrets.admin = Secret();
  outcome.clear();
  EXPECT_THAT(prove(ConnectionRole::admin, "the operators' token"),
              HasSubstr("does not know this admin token"));
}

TEST_F(Handshake, WhatComesAfterItIsNotLost) {
  auto pipe = kj::newTwoWayPipe();
  serve(kj::mv(pipe.ends[1]));
  auto sent = pipe.ends[0]->write("plain", 5);
  EXPECT_EQ(serverSays(), "anyone");
  char text[5];
  stream->read(text, 5).wait(waitScope);
  EXPECT_EQ(std::string(text, 5), "plain");
}

TEST_F(Handshake, WrongProofsAndUnknownRolesAreRefused) {
  for (char role: {'\1', '\7'}) {
    outcome.clear();
    auto pipe = kj::newTwoWayPipe();
    serve(kj::mv(pipe.ends[1]));
    auto text = std::string("GVL1") + role + std::string(16, 'n') + std::string(32, 'p');
    auto sent = pipe.ends[0]->write(text.data(), text.size());
    char answer[52];
    auto heard = pipe.ends[0]->tryRead(answer, 1, sizeof(answer));
    EXPECT_THAT(serverSays(), ::testing::AnyOf(HasSubstr("does not know the peer secret"),
                                               HasSubstr("an unknown role")));
  }
}

TEST(SecretFile, IsOnlyReadWhereOthersMayNot) {
  gavel::testing::TemporaryDirectory directory;
  auto path = directory.path() + "/secret";
  makeSecret(path);
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_FALSE(readSecret(path).empty());
  EXPECT_ANY_THROW(makeSecret(path)) << "it is not made twice";
  auto problem = [&]() {
    std::string text;
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { readSecret(path); })) {
      text = exception->getDescription().cStr();
    }
    return text;
  };
  chmod(path.c_str(), 0640);
  EXPECT_THAT(problem(), HasSubstr("others may read or write it"));
  chmod(path.c_str(), 0600);
  std::ofstream(path) << "short\n";
  EXPECT_THAT(problem(), HasSubstr("holds 5 bytes; 16 to 1024 are needed"));
}

}  // namespace
}  // namespace gavel
