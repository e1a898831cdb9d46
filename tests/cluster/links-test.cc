#include <cstdlib>
#include <memory>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/namespaces.h"
#include "tests/cluster/seeded.h"

// Links between neighbours that do not work, though the master hears both (R6), in network
// namespaces, under load.  Prints for how long no bid was acknowledged.
namespace gavel::cluster {
namespace {

using ::testing::HasSubstr;
using Kind = Namespaces::Kind;

// On a quiet machine.
constexpr auto LONGEST_GAP = 3500 * kj::MILLISECONDS;

struct Cut {
  const char* name;
  bool down, up;  // From predecessor to successor, and back.
  Kind kind;
};
constexpr Cut CUTS[] = {
    {"two-way", true, true, Kind::drop},
    {"to the successor", true, false, Kind::drop},
    {"to the predecessor", false, true, Kind::drop},
    {"large packets", true, true, Kind::large},
    {"two-way, rejected", true, true, Kind::reject},
    {"to the successor, rejected", true, false, Kind::reject},
    {"to the predecessor, rejected", false, true, Kind::reject},
    {"two-way, reset", true, true, Kind::reset},
};

double milliseconds(kj::Duration time) {
  return static_cast<double>(time / kj::MICROSECONDS) / 1000;
}

// How late this process's own timers are, which shows how busy the machine is.
class Lateness {
public:
  explicit Lateness(kj::Timer& timer): timer(timer), watching(watch().eagerlyEvaluate(nullptr)) {}
  kj::Duration most() const { return most_; }

private:
  static constexpr auto PERIOD = 5 * kj::MILLISECONDS;

  kj::Timer& timer;
  kj::Duration most_ = 0 * kj::SECONDS;
  kj::Promise<void> watching;

  kj::Promise<void> watch() {
    auto due = clockNow() + PERIOD;
    return timer.afterDelay(PERIOD).then([this, due]() {
      most_ = kj::max(most_, clockNow() - due);
      return watch();
    });
  }
};

class Links: public Seeded {
protected:
  ~Links() noexcept override = default;

  // Whether to try everything, not only what scripts/test has time for.
  static bool all() { return getenv("GAVEL_LINKS") != nullptr; }

  void start(std::size_t count, Flags nodeFlags = {}, Flags masterFlags = {}) {
    net.emplace(count);
    Cluster::Options options;
    options.replicas = count;
    options.host = net->ownHost();
    for (std::size_t i = 0; i < count; ++i) {
      options.nodeHosts.push_back(net->host(i));
      options.launchers.push_back(net->launcher(i));
    }
    options.masterFlags = std::move(masterFlags);
    // Otherwise each case has to wait ten seconds until the pair is tried again.
    for (auto* flag: {"--link-retry", "1s", "--insecure-listen"}) {
      options.masterFlags.push_back(flag);
    }
    options.nodeFlags = std::move(nodeFlags);
    options.nodeFlags.push_back("--insecure-listen");
    cluster = std::make_unique<Cluster>(io, options);
    cluster->untilWhole();
    load = std::make_unique<gavel::testing::Workload>(io, *cluster, 8, 4);
    load->runUntilSteady(200 * kj::MILLISECONDS);
  }

  void end() {
    load->stop();
    load->verify();
    cluster->expectSameState();
    EXPECT_GT(load->acknowledged(), 100u) << "too little happened to prove anything";
    EXPECT_EQ(load->unknown(), 0u) << "20 s are enough to learn any outcome";
  }

  void judge(kj::Duration gap, const Lateness& lateness) {
    EXPECT_LE(gap, LONGEST_GAP + 20 * lateness.most())
        << "with timers late by up to " << milliseconds(lateness.most()) << " ms"
        << cluster->logs();
  }

  static bool areNeighbours(const Cluster::Chain& chain, std::size_t a, std::size_t b) {
    for (std::size_t i = 0; i + 1 < chain.serving.size(); ++i) {
      auto first = chain.serving[i];
      auto second = chain.serving[i + 1];
      if ((first == a && second == b) || (first == b && second == a)) return true;
    }
    return false;
  }

  // Cuts the link that begins at the member at `place`, and heals it.
  void strike(std::size_t place, const Cut& cut) {
    auto before = cluster->chain();
    auto length = before.serving.size();
    auto a = before.serving[place];
    auto b = before.serving[place + 1];
    auto names = std::pair("n" + std::to_string(a + 1), "n" + std::to_string(b + 1));
    Lateness lateness(io.provider->getTimer());
    auto at = clockNow();
    if (cut.down) net->cut(a, b, cut.kind);
    if (cut.up) net->cut(b, a, cut.kind);
    auto check = cluster->startGavel("op", {"chain", "status", "--check"});
    std::string told;
    cluster->until("the pair to be taken apart", [&]() {
      auto notice = cluster->notice();
      if (told.empty() && !notice.empty()) told = notice;
      return cluster->chain().epoch > before.epoch;
    });
    EXPECT_NE(told + cluster->notice(), "") << "status has to say so while it lasts";
    EXPECT_FALSE(areNeighbours(cluster->chain(), a, b)) << cluster->logs();
    // The check began before anybody had noticed.
    EXPECT_NE(check->wait(), 0) << check->readLine();
    load->runUntilSteady(300 * kj::MILLISECONDS);
    auto gap = load->longestGap(at, clockNow());

    // A removed member joins after the tail, unless the tail is the other one of the pair.
    bool atTheTail = place + 2 == length;
    if (atTheTail) {
      auto status = cluster->gavel("op", {"chain", "status", "--check"});
      EXPECT_EQ(status.status, 7) << status.output << status.errors;
      EXPECT_THAT(status.output, HasSubstr("cannot talk to each other since"));
      EXPECT_THAT(status.output, HasSubstr(names.first));
      EXPECT_THAT(status.output, HasSubstr(names.second));
    } else {
      cluster->untilWhole(30 * kj::SECONDS);
    }
    auto during = cluster->chain();
    EXPECT_EQ(during.serving.size(), atTheTail ? length - 1 : length) << cluster->logs();
    EXPECT_FALSE(areNeighbours(during, a, b));
    net->heal();
    cluster->untilWhole(90 * kj::SECONDS);
    printf(
        "LINK %zu nodes, %s > %s %s: %zu of %zu members while it lasted, full length after; "
        "longest gap %.0f ms\n",
        length, names.first.c_str(), names.second.c_str(), cut.name, during.serving.size(), length,
        milliseconds(gap));
    fflush(stdout);
    judge(gap, lateness);
    // At most one pair is taken apart in twice the time of suspicion.
    load->runFor(2 * kj::SECONDS);
  }

  std::optional<Namespaces> net;
  std::unique_ptr<Cluster> cluster;
  std::unique_ptr<gavel::testing::Workload> load;
};

#define SKIP_WITHOUT_NAMESPACES()                                       \
  do {                                                                  \
    auto why = Namespaces::whyNot();                                    \
    if (!why.empty()) GTEST_SKIP() << "no network namespaces: " << why; \
  } while (false)

TEST_F(Links, EachPairOfThreeThatCannotTalkIsTakenApart) {
  SKIP_WITHOUT_NAMESPACES();
  start(3);
  for (auto& cut: CUTS) {
    for (std::size_t place = 0; place < 2 && !HasFailure(); ++place) strike(place, cut);
  }
  end();
}

TEST_F(Links, EachPairOfFiveThatCannotTalkIsTakenApart) {
  SKIP_WITHOUT_NAMESPACES();
  start(5);
  std::size_t number = draw(std::size(CUTS));
  for (std::size_t place = 0; place < 4; ++place) {
    for (std::size_t i = 0; i < (all() ? std::size(CUTS) : 1) && !HasFailure(); ++i) {
      strike(place, CUTS[number++ % std::size(CUTS)]);
    }
  }
  end();
}

// The link works for 200 ms, and then does not for 200 ms.
TEST_F(Links, ALinkThatFlapsIsTakenOut) {
  SKIP_WITHOUT_NAMESPACES();
  start(3);
  auto before = cluster->chain();
  auto& timer = io.provider->getTimer();
  Lateness lateness(timer);
  auto at = clockNow();
  bool taken = false;
  while (!taken && clockNow() - at < 20 * kj::SECONDS) {
    net->cut(before.serving[0], before.serving[1], Kind::drop);
    net->cut(before.serving[1], before.serving[0], Kind::drop);
    timer.afterDelay(200 * kj::MILLISECONDS).wait(io.waitScope);
    net->heal();
    timer.afterDelay(200 * kj::MILLISECONDS).wait(io.waitScope);
    taken = cluster->chain().epoch > before.epoch;
  }
  auto lasted = clockNow() - at;
  EXPECT_TRUE(taken) << cluster->logs();
  EXPECT_LE(lasted, 10 * kj::SECONDS + 20 * lateness.most());
  EXPECT_FALSE(areNeighbours(cluster->chain(), before.serving[0], before.serving[1]));
  load->runUntilSteady(300 * kj::MILLISECONDS);
  auto gap = load->longestGap(at, clockNow());
  cluster->untilWhole(60 * kj::SECONDS);
  printf("LINK flapping 200/200 ms: taken out after %.0f ms; longest gap %.0f ms\n",
         milliseconds(lasted), milliseconds(gap));
  judge(gap, lateness);
  end();
}

// A dead node looks like a broken link first.  Its neighbour must not be removed for that.
TEST_F(Links, TheSuccessorOfADeadHeadStays) {
  SKIP_WITHOUT_NAMESPACES();
  // Otherwise a node that is lost that often waits for minutes until it is let in again.
  start(3, {"--link-patience", "1s"}, {"--suspect-after", "1s", "--flap-delay", "10ms"});
  auto* given = getenv("GAVEL_DEAD_HEADS");
  int times = given != nullptr ? atoi(given) : all() ? 200 : 5;
  for (int i = 0; i < times && !HasFailure(); ++i) {
    auto before = cluster->chain();
    net->unplug(before.serving[0]);
    cluster->untilWithout(before.serving[0]);
    auto after = cluster->chain();
    EXPECT_EQ(after.epoch, before.epoch + 1) << cluster->logs();
    EXPECT_TRUE(after.serves(before.serving[1])) << cluster->logs();
    EXPECT_TRUE(after.serves(before.serving[2])) << cluster->logs();
    net->plug(before.serving[0]);
    cluster->untilWhole(60 * kj::SECONDS);
    load->runUntilSteady(200 * kj::MILLISECONDS);
  }
  printf("LINK dead head, link patience = time of suspicion: its successor stayed %d of %d times\n",
         times, times);
  end();
}

}  // namespace
}  // namespace gavel::cluster
