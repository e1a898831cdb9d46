#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/cluster/cluster.h"

// Real processes with wrong clocks, by a library that is loaded into them (R15).
namespace gavel::cluster {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t HOUR = 3600'000'000'000;
constexpr std::int64_t DAY = 24 * HOUR;

// The clock of processes that are started while this is in the environment.  It is right until it
// is set.
class WrongClock {
public:
  explicit WrongClock(const std::string& path): path(path) {
    KJ_SYSCALL(file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    set(0);
  }
  ~WrongClock() { close(file); }
  KJ_DISALLOW_COPY(WrongClock);

  void set(std::int64_t off) { KJ_ASSERT(pwrite(file, &off, sizeof(off), 0) == sizeof(off)); }

  template <typename Start>
  void wear(Start start) {
    setenv("WRONG_CLOCK", path.c_str(), 1);
    setenv("LD_PRELOAD", binary("libgavel_wrong_clock.so").c_str(), 1);
    KJ_DEFER({
      unsetenv("LD_PRELOAD");
      unsetenv("WRONG_CLOCK");
    });
    start();
  }

private:
  std::string path;
  int file = -1;
};

class Clocks: public ::testing::Test {
protected:
  ~Clocks() noexcept override = default;

  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the sanitizer's library has to be loaded first";
#endif
  }

  kj::AsyncIoContext io = kj::setupAsyncIo();
  gavel::testing::TemporaryDirectory home;
  WrongClock clock{home.path() + "/clock"};
  std::unique_ptr<Cluster> cluster;

  void start(std::size_t replicas) {
    clock.wear([&]() { cluster = std::make_unique<Cluster>(io, replicas); });
  }
  void restartAll() {
    cluster->killAll();
    clock.wear([&]() {
      cluster->restartMaster();
      for (std::size_t i = 0; i < cluster->size(); ++i) cluster->restartNode(i);
    });
    cluster->untilWhole();
  }
  Finished gavel(Flags arguments) {
    return cluster->gavel("alice", std::move(arguments));
  }
  void succeeds(Flags arguments) {
    auto ran = gavel(std::move(arguments));
    EXPECT_EQ(ran.status, 0) << ran.output << ran.errors;
  }
};

TEST_F(Clocks, AuctionEndsInTimeThoughAllClocksWereAheadOnce) {
  clock.set(400 * DAY);
  start(3);
  succeeds({"auctions", "create", "old", "--duration", "30d"});
  clock.set(0);
  restartAll();

  auto status = gavel({"chain", "status", "--check"});
  EXPECT_EQ(status.status, 7);
  EXPECT_THAT(status.errors, HasSubstr("chain time is 399d23h ahead of the clock of n"));
  EXPECT_THAT(status.output, AllOf(HasSubstr("0ms"), Not(HasSubstr("refused"))));
  EXPECT_THAT(gavel({"chain", "status", "-o", "json"}).output, HasSubstr("\"chainTime\":\"18"));

  auto& timer = io.provider->getTimer();
  auto begin = timer.now();
  auto created = gavel({"auctions", "create", "lamp", "--duration", "10s"});
  EXPECT_THAT(created.output, HasSubstr("ends in 10s"));
  succeeds({"bid", "100", "-a", "lamp"});
  EXPECT_THAT(gavel({"result", "-a", "lamp"}).output, HasSubstr("open"));
  cluster->until(
      "the auction to end",
      [&]() {
        return gavel({"result", "-a", "lamp"}).output.find("sold") != std::string::npos;
      },
      60 * kj::SECONDS);
  auto took = (timer.now() - begin) / kj::MILLISECONDS;
  EXPECT_GE(took, 10'000);
  EXPECT_LE(took, 20'000) << "a little for slow machines";
  EXPECT_THAT(gavel({"result", "-a", "old"}).output, HasSubstr("open"));
  std::printf(
      "TIME clocks ahead by 400 days at start, then right: auction of 10 s ended after "
      "%.1f s; status: %s",
      static_cast<double>(took) / 1000, status.errors.c_str());
}

TEST_F(Clocks, HeadDoesNotBelieveAClockThatLeapsUntilItIsRight) {
  start(2);
  succeeds({"auctions", "create", "lamp", "--duration", "30d"});
  clock.set(400 * DAY);
  restartAll();
  auto bid = gavel({"bid", "100", "-a", "lamp", "--timeout", "1s"});
  EXPECT_EQ(bid.status, 4) << bid.output << bid.errors;
  auto status = gavel({"chain", "status", "--check"});
  EXPECT_EQ(status.status, 7);
  EXPECT_THAT(status.errors, AllOf(HasSubstr("takes no calls: its clock says"),
                                   HasSubstr("'gavel chain clock --accept'")));
  EXPECT_THAT(gavel({"result", "-a", "lamp"}).output, HasSubstr("open"));
  clock.set(0);  // No process is started for this.
  succeeds({"bid", "100", "-a", "lamp"});
}

TEST_F(Clocks, OperatorAcceptsAClockAfterALongStop) {
  start(2);
  succeeds({"auctions", "create", "lamp", "--duration", "2d"});
  clock.set(8 * DAY);
  restartAll();
  EXPECT_EQ(gavel({"bid", "100", "-a", "lamp", "--timeout", "500ms"}).status, 4);
  auto accepted = gavel({"chain", "clock", "--accept"});
  EXPECT_EQ(accepted.status, 0) << accepted.errors;
  EXPECT_THAT(accepted.output, HasSubstr("goes on by its clock"));
  cluster->until("what is due to end", [&]() {
    return gavel({"result", "-a", "lamp"}).output.find("no sale") != std::string::npos;
  });
  succeeds({"auctions", "create", "vase", "--duration", "1h"});
  EXPECT_EQ(gavel({"chain", "clock", "--accept"}).status, 6) << "there is nothing to accept now";
}

TEST_F(Clocks, NodeThatIsRefusedForItsClockTriesOn) {
  start(1);
  clock.set(0);
  WrongClock late(home.path() + "/late");
  late.set(-HOUR);
  std::size_t spare = 0;
  late.wear([&]() { spare = cluster->addSpare(); });
  cluster->until("the node to be refused", [&]() {
    return cluster->noteOn(spare).find("1h before that of its master") != std::string::npos;
  });
  EXPECT_THAT(cluster->status(spare).getStatus().getReason().cStr(),
              HasSubstr("refuses this node: the clock of node n2 says"));
  auto status = gavel({"chain", "status", "--check"});
  EXPECT_EQ(status.status, 7);
  EXPECT_THAT(status.errors, AllOf(HasSubstr("! n2 is refused: the clock of node n2"),
                                   Not(HasSubstr("start it"))));
  EXPECT_TRUE(cluster->node(spare).running());
  late.set(0);
  cluster->until("the node to be let in",
                 [&]() { return cluster->noteOn(spare).find("spare") != std::string::npos; });
  EXPECT_TRUE(cluster->node(spare).running());
}

}  // namespace
}  // namespace gavel::cluster
