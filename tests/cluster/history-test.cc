#include <algorithm>
#include <filesystem>
#include <memory>
#include <signal.h>
#include <stdio.h>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/seeded.h"
#include "tests/history/bidders.h"
#include "tests/history/checker.h"
#include "tests/history/history-file.h"

// Kills and restarts, or pauses and resumes, each role while bidders record the answers of all
// nodes.  They have to be answers that one auction service without failures could have given.
namespace gavel::cluster {
namespace {

using history::Bidders;

constexpr std::size_t NODES = 3;
// Bidders who do one thing after the other, and give up soon.  Some outcomes stay unknown, and are
// asked for again.
constexpr std::size_t HASTY = 32;
constexpr auto HASTY_TIMEOUT = 200 * kj::MILLISECONDS;
// Bidders who do so little that they do not notice changes of the chain.  They ask nodes that are
// no members any more.
constexpr std::size_t SLEEPY = 64;
constexpr int ROUNDS = 3;
constexpr auto SUSPECT_AFTER = 300 * kj::MILLISECONDS;

enum class Victim { head, middle, tail, master };

constexpr const char* nameOf(Victim victim) {
  constexpr const char* NAMES[] = {"head", "middle", "tail", "master"};
  return NAMES[static_cast<int>(victim)];
}

std::string grouped(std::uint64_t number) {
  auto text = std::to_string(number);
  for (auto i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

class Recorded: public Seeded {
protected:
  ~Recorded() noexcept override = default;

  void strike(int signal, Victim victim) {
    auto what = std::string(signal == SIGKILL ? "SIGKILL " : "SIGSTOP ") + nameOf(victim);
    Cluster::Options options;
    options.replicas = NODES;
    options.masterFlags = {"--flap-delay", "0s", "--suspect-after",
                           std::to_string(SUSPECT_AFTER / kj::MILLISECONDS) + "ms"};
    Cluster cluster(io, options);
    start(cluster);
    for (int round = 0; round < ROUNDS; ++round) {
      runFor(100 * kj::MILLISECONDS + drawUpTo(150 * kj::MILLISECONDS));
      untilMoreAccepted(cluster);
      if (signal == SIGKILL) killAndRestart(cluster, victim);
      if (signal == SIGSTOP) pauseAndResume(cluster, victim);
      cluster.untilWhole();
    }
    untilMoreAccepted(cluster);
    finish(cluster);
    auto verdict = judge(what, cluster);
    if (signal == SIGSTOP && victim != Victim::master) {
      EXPECT_GT(verdict.unknown, 0u) << "nobody was kept waiting for too long";
      EXPECT_GT(bidders->counts().unknown, verdict.unknown) << "asking again told nothing";
    }
  }

private:
  std::vector<std::unique_ptr<client::Client>> clients;
  std::vector<std::unique_ptr<gavel::testing::SeededRandom>> randoms;
  history::History history;
  std::unique_ptr<Bidders> bidders;

  void runFor(kj::Duration time) { io.provider->getTimer().afterDelay(time).wait(io.waitScope); }

  // Waits for so many bids before and after each strike, however busy the machine is.
  void untilMoreAccepted(Cluster& cluster) {
    auto enough = bidders->counts().successes + 100;
    cluster.until("bids to be accepted", [&]() { return bidders->counts().successes >= enough; });
  }

  void start(Cluster& cluster) {
    auto now = []() { return (clockNow() - kj::origin<kj::TimePoint>()) / kj::NANOSECONDS; };
    std::vector<Bidders::Seat> seats;
    auto add = [&](std::size_t count, client::Client::Limits limits, unsigned slowness) {
      limits.readFrom = client::ReadFrom::anyNode;
      for (std::size_t i = 0; i < count; ++i) {
        clients.push_back(cluster.newClient(limits));
        randoms.push_back(std::make_unique<gavel::testing::SeededRandom>(engine()));
        seats.push_back({*clients.back(), io.provider->getTimer(), *randoms.back(), now, slowness});
      }
    };
    client::Client::Limits hasty;
    hasty.timeout = HASTY_TIMEOUT;
    hasty.lookForMembers = HASTY_TIMEOUT;
    add(HASTY, hasty, 1);
    add(SLEEPY, {}, 100);
    Bidders::Options options;
    options.thinkAtMost = 5 * kj::MILLISECONDS;
    options.duration = 1 * kj::SECONDS;
    bidders = std::make_unique<Bidders>(history, std::move(seats), options);
    bidders->start();
  }

  static std::size_t nodeOf(Cluster& cluster, Victim victim) {
    auto serving = cluster.chain().serving;
    KJ_REQUIRE(serving.size() == NODES, serving.size());
    return serving[static_cast<std::size_t>(victim)];
  }

  void killAndRestart(Cluster& cluster, Victim victim) {
    if (victim == Victim::master) {
      cluster.master().kill();
      runFor(drawUpTo(200 * kj::MILLISECONDS));
      cluster.restartMaster();
      return;
    }
    auto node = nodeOf(cluster, victim);
    cluster.node(node).kill();
    runFor(drawUpTo(200 * kj::MILLISECONDS));
    cluster.restartNode(node);
  }

  // Pauses nodes for long enough to be removed, except the first time.
  void pauseAndResume(Cluster& cluster, Victim victim) {
    bool isMaster = victim == Victim::master;
    auto node = isMaster ? 0 : nodeOf(cluster, victim);
    auto& process = isMaster ? cluster.master() : cluster.node(node);
    process.signal(SIGSTOP);
    if (isMaster || paused++ == 0) {
      runFor(drawUpTo(SUSPECT_AFTER));
    } else {
      cluster.untilWithout(node);
      runFor(drawUpTo(200 * kj::MILLISECONDS));
    }
    process.signal(SIGCONT);
    runFor(50 * kj::MILLISECONDS);  // Time for its reaction to everything that arrived meanwhile.
  }
  int paused = 0;

  // Throws, with the logs of the processes, if it takes too long.
  void wait(kj::Promise<void> promise, const char* what, Cluster& cluster) {
    io.provider->getTimer()
        .timeoutAfter(20 * kj::SECONDS, kj::mv(promise))
        .catch_([&](kj::Exception&& exception) {
          KJ_FAIL_REQUIRE("gave up waiting", what, exception, cluster.logs().c_str());
        })
        .wait(io.waitScope);
  }

  void finish(Cluster& cluster) {
    wait(bidders->stop(), "bidders to stop", cluster);
    wait(bidders->readFinals(), "the final histories", cluster);
  }

  history::Verdict judge(const std::string& what, Cluster& cluster) {
    auto begin = clockNow();
    auto verdict = history::check(history);
    auto took = clockNow() - begin;
    auto& counts = bidders->counts();
    printf(
        "HISTORY %s x%d: %s operations on %zu auctions, read at all nodes; %s not answered in "
        "time, "
        "%s of these never, of which %s happened; %s (checked in %lld ms)\n",
        what.c_str(), ROUNDS, grouped(verdict.operations).c_str(), verdict.auctions,
        grouped(counts.unknown).c_str(), grouped(verdict.unknown).c_str(),
        grouped(verdict.unknownApplied).c_str(),
        verdict.linearizable() ? "linearizable" : "NOT LINEARIZABLE",
        static_cast<long long>(took / kj::MILLISECONDS));
    EXPECT_GT(counts.successes, 100u * ROUNDS) << "too little happened to prove anything";
    EXPECT_GT(counts.fails, 100u);
    EXPECT_GT(counts.reads, 100u);
    if (!verdict.linearizable()) {
      auto path = (std::filesystem::current_path() / ("failed-" + what + ".history")).string();
      std::replace(path.begin(), path.end(), ' ', '-');
      history::save(history, path);
      ADD_FAILURE() << verdict.text() << "check it again: " << binary("check-history") << " "
                    << path << "\n"
                    << cluster.logs();
    }
    return verdict;
  }
};

TEST_F(Recorded, IsLinearizableWhenTheHeadIsKilled) {
  strike(SIGKILL, Victim::head);
}
TEST_F(Recorded, IsLinearizableWhenTheMiddleIsKilled) {
  strike(SIGKILL, Victim::middle);
}
TEST_F(Recorded, IsLinearizableWhenTheTailIsKilled) {
  strike(SIGKILL, Victim::tail);
}
TEST_F(Recorded, IsLinearizableWhenTheMasterIsKilled) {
  strike(SIGKILL, Victim::master);
}
TEST_F(Recorded, IsLinearizableWhenTheHeadIsPaused) {
  strike(SIGSTOP, Victim::head);
}
TEST_F(Recorded, IsLinearizableWhenTheMiddleIsPaused) {
  strike(SIGSTOP, Victim::middle);
}
TEST_F(Recorded, IsLinearizableWhenTheTailIsPaused) {
  strike(SIGSTOP, Victim::tail);
}
TEST_F(Recorded, IsLinearizableWhenTheMasterIsPaused) {
  strike(SIGSTOP, Victim::master);
}

}  // namespace
}  // namespace gavel::cluster
