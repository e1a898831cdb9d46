#include "base/remembering-network.h"

#include <gtest/gtest.h>
#include <kj/debug.h>

namespace gavel {
namespace {

// A resolver that works, fails or hangs, as the test wants.
class FakeResolver final: public kj::Network {
public:
  class Address final: public kj::NetworkAddress {
  public:
    explicit Address(int number): number(number) {}
    kj::Promise<kj::Own<kj::AsyncIoStream>> connect() override { KJ_UNIMPLEMENTED("no network"); }
    kj::Own<kj::ConnectionReceiver> listen() override { KJ_UNIMPLEMENTED("no network"); }
    kj::Own<kj::NetworkAddress> clone() override { return kj::heap<Address>(number); }
    kj::String toString() override { return kj::str("address ", number); }

  private:
    int number;
  };

  enum class Mode { works, fails, hangs } mode = Mode::works;
  int number = 1;

  kj::Promise<kj::Own<kj::NetworkAddress>> parseAddress(kj::StringPtr, unsigned) override {
    if (mode == Mode::hangs) return kj::NEVER_DONE;
    KJ_REQUIRE(mode == Mode::works, "Temporary failure in name resolution");
    return kj::Own<kj::NetworkAddress>(kj::heap<Address>(number));
  }
  kj::Own<kj::NetworkAddress> getSockaddr(const void*, unsigned) override {
    KJ_UNIMPLEMENTED("no network");
  }
  kj::Own<kj::Network> restrictPeers(kj::ArrayPtr<const kj::StringPtr>,
                                     kj::ArrayPtr<const kj::StringPtr>) override {
    KJ_UNIMPLEMENTED("no network");
  }
};

class RememberingNetworkTest: public ::testing::Test {
protected:
  ~RememberingNetworkTest() noexcept override = default;

  kj::EventLoop loop;
  kj::WaitScope waitScope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  FakeResolver resolver;
  RememberingNetwork network{resolver, timer};

  std::string resolve(kj::StringPtr name) {
    auto promise = network.parseAddress(name, 0);
    if (!promise.poll(waitScope)) timer.advanceTo(timer.now() + 1 * kj::SECONDS);
    if (!promise.poll(waitScope)) return "hangs";
    std::string result = "fails";
    kj::runCatchingExceptions([&]() { result = promise.wait(waitScope)->toString().cStr(); });
    return result;
  }
};

TEST_F(RememberingNetworkTest, TakesWhatANameStandsForNow) {
  EXPECT_EQ(resolve("n1:7400"), "address 1");
  resolver.number = 2;
  EXPECT_EQ(resolve("n1:7400"), "address 2");
}

TEST_F(RememberingNetworkTest, GoesOnWithTheLastAddressWhileANameDoesNotResolve) {
  EXPECT_EQ(resolve("n1:7400"), "address 1");
  resolver.mode = FakeResolver::Mode::fails;
  EXPECT_EQ(resolve("n1:7400"), "address 1");
  EXPECT_EQ(resolve("n2:7400"), "fails") << "nothing is known of it";
  resolver.mode = FakeResolver::Mode::hangs;
  EXPECT_EQ(resolve("n1:7400"), "address 1");
  EXPECT_EQ(resolve("n2:7400"), "hangs") << "as without this";
  resolver.mode = FakeResolver::Mode::works;
  resolver.number = 3;
  EXPECT_EQ(resolve("n1:7400"), "address 3");
}

}  // namespace
}  // namespace gavel
