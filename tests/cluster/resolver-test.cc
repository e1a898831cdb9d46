#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/cluster/cluster.h"

// If the resolver is gone, no node that is heard is removed (R6), with real processes.
namespace gavel::cluster {
namespace {

// Processes that are started while this is in the environment have a resolver of their own.
class Resolver {
public:
  explicit Resolver(const std::string& path): path(path) { come(); }

  void come() { std::ofstream(path).put('\n'); }
  void go() { std::remove(path.c_str()); }

  template <typename Use>
  auto wear(Use use) const {
    setenv("RESOLVER", path.c_str(), 1);
    setenv("LD_PRELOAD", binary("libgavel_resolver.so").c_str(), 1);
    KJ_DEFER({
      unsetenv("LD_PRELOAD");
      unsetenv("RESOLVER");
    });
    return use();
  }

  // Its name for "127.1.2.3:4".
  static std::string nameOf(const std::string& address) {
    auto colon = address.rfind(':');
    auto host = address.substr(0, colon);
    std::replace(host.begin(), host.end(), '.', '-');
    return host + ".gavel.test" + address.substr(colon);
  }

private:
  std::string path;
};

TEST(Resolver, ThatIsGoneTakesNobodyOutWhoIsHeard) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's library has to be loaded first";
#endif
  auto io = kj::setupAsyncIo();
  auto& timer = io.provider->getTimer();
  gavel::testing::TemporaryDirectory directory;
  Resolver theirs(directory.path() + "/resolver");
  Resolver bidders(directory.path() + "/resolver-of-bidders");
  auto started = theirs.wear([&]() { return std::make_unique<Cluster>(io, 5); });
  auto& cluster = *started;
  cluster.untilWhole();
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    cluster.node(i).kill();
    cluster.untilWithout(i);
    theirs.wear([&]() {
      cluster.restartNode(i, {"--advertise", Resolver::nameOf(cluster.nodeAddress(i))});
    });
    cluster.untilWhole();
  }
  auto configuration = cluster.configuration(cluster.masterAddress());
  for (auto member: configuration.getConfiguration().getMembers()) {
    ASSERT_NE(std::string(member.getAddress().cStr()).find(".gavel.test:"), std::string::npos);
  }
  auto gavel = [&](Flags arguments) {
    return bidders.wear([&]() { return cluster.gavel("alice", arguments); });
  };
  auto made = gavel({"auctions", "create", "lamp", "--duration", "1h"});
  ASSERT_EQ(made.status, 0) << made.errors;

  theirs.go();
  auto before = cluster.chain();
  auto dead = before.serving[2];
  cluster.node(dead).kill();
  cluster.untilWithout(dead);
  auto after = cluster.chain();
  EXPECT_EQ(after.epoch, before.epoch + 1) << cluster.logs();
  EXPECT_EQ(after.serving.size(), 4u) << cluster.logs();
  auto bid = gavel({"bid", "100", "-a", "lamp"});
  EXPECT_EQ(bid.status, 0) << bid.errors << cluster.logs();
  // By then, any node that is taken for lost, or for one with a broken link, would be removed.
  timer.afterDelay(5 * kj::SECONDS).wait(io.waitScope);
  EXPECT_EQ(cluster.chain().epoch, after.epoch) << cluster.logs();

  // Kills another one.  Its neighbours become neighbours, and never were before.
  cluster.node(after.serving[1]).kill();
  cluster.untilWithout(after.serving[1]);
  EXPECT_EQ(cluster.chain().serving.size(), 3u) << cluster.logs();
  bid = gavel({"bid", "101", "-a", "lamp"});
  EXPECT_EQ(bid.status, 0) << bid.errors << cluster.logs();

  theirs.come();
  for (auto i: {dead, after.serving[1]}) {
    theirs.wear([&]() {
      cluster.restartNode(i, {"--advertise", Resolver::nameOf(cluster.nodeAddress(i))});
    });
  }
  cluster.untilWhole(30 * kj::SECONDS);
  cluster.expectSameState();
}

}  // namespace
}  // namespace gavel::cluster
