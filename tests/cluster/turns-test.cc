#include <algorithm>
#include <cstdio>
#include <vector>

#include <gtest/gtest.h>
#include <kj/debug.h>

#include "base/process.h"
#include "base/random.h"
#include "client/watch.h"
#include "tests/cluster/cluster.h"

// However large the state, it holds nobody up (R16): on real processes.
namespace gavel::cluster {
namespace {

using Nanoseconds = std::int64_t;

constexpr std::size_t AUCTIONS = 300'000;
constexpr std::size_t CREATORS = 16;
constexpr std::size_t AT_A_TIME = 64;  // For each of them.
constexpr std::size_t BIDDERS = 4;
constexpr Nanoseconds SECOND = 1'000'000'000;

client::Identity identity(kj::StringPtr name) {
  return {name, kj::StringPtr("a secret of many auctions").asBytes()};
}

// Makes auctions that end together: each is made with the time that is left.
class Creators: private kj::TaskSet::ErrorHandler {
public:
  Creators(kj::AsyncIoContext& io, Cluster& cluster): io(io), tasks(*this) {
    for (std::size_t i = 0; i < CREATORS; ++i) clients.push_back(cluster.newClient());
  }

  // Makes `count` more, which end at `deadline` or up to some milliseconds later; 0: an hour from
  // now.
  void create(std::size_t count, Nanoseconds deadline) {
    until = made + count;
    this->deadline = deadline;
    for (auto& client: clients) {
      for (std::size_t i = 0; i < AT_A_TIME; ++i) tasks.add(next(*client));
    }
    tasks.onEmpty().wait(io.waitScope);
  }

  Nanoseconds chainTime() const { return stamp; }
  Nanoseconds lastDeadline() const { return lastDeadline_; }
  // The one that ends last.
  const std::string& last() const { return last_; }

private:
  kj::AsyncIoContext& io;
  std::vector<std::unique_ptr<client::Client>> clients;
  std::size_t made = 0;
  std::size_t until = 0;
  Nanoseconds deadline = 0;
  Nanoseconds stamp = 0;  // The newest stamp in an answer.
  Nanoseconds lastDeadline_ = 0;
  std::string last_;
  kj::TaskSet tasks;

  kj::Promise<void> next(client::Client& client) {
    if (made == until) return kj::READY_NOW;
    auto name = "many-" + std::to_string(made++);
    capnp::MallocMessageBuilder message;
    auto terms = message.initRoot<schema::Terms>();
    auto left = deadline == 0 ? 3600 * SECOND : deadline - stamp;
    KJ_REQUIRE(left > 0, "the auctions end before all of them are made");
    terms.setDuration(left);
    return client.create(name.c_str(), identity("owner"), terms)
        .then([this, &client, name](client::WriteResult result) {
          KJ_REQUIRE(result.outcome().isSuccess(), result.outcome());
          auto success = result.outcome().getSuccess();
          stamp = std::max(stamp, success.getStamp());
          if (deadline != 0 && success.getDeadline() > lastDeadline_) {
            lastDeadline_ = success.getDeadline();
            last_ = name;
          }
          return next(client);
        });
  }
  void taskFailed(kj::Exception&& exception) override {
    ADD_FAILURE() << kj::str(exception).cStr();
  }
};

// Bids one after the other on an auction of its own, and notes how long each takes.
class Bidder {
public:
  Bidder(kj::AsyncIoContext& io, Cluster& cluster, std::string name)
      : timer(io.provider->getTimer()), client(cluster.newClient()), name(std::move(name)) {
    capnp::MallocMessageBuilder message;
    auto terms = message.initRoot<schema::Terms>();
    terms.setDuration(3600 * SECOND);
    auto made = client->create(this->name.c_str(), identity("owner"), terms).wait(io.waitScope);
    KJ_REQUIRE(made.outcome().isSuccess(), made.outcome());
    bidding = bid().eagerlyEvaluate(
        [](kj::Exception&& exception) { ADD_FAILURE() << kj::str(exception).cStr(); });
  }

  std::vector<kj::Duration> latencies;

private:
  kj::Timer& timer;
  std::unique_ptr<client::Client> client;
  std::string name;
  std::int64_t amount = 0;
  kj::Promise<void> bidding = nullptr;

  kj::Promise<void> bid() {
    auto& clock = kj::systemPreciseMonotonicClock();
    return client->bid({name.c_str(), identity("bidder"), ++amount})
        .then([this, &clock, begun = clock.now()](client::WriteResult result) {
          EXPECT_TRUE(result.outcome().isSuccess()) << kj::str(result.outcome()).cStr();
          latencies.push_back(clock.now() - begun);
          return timer.afterDelay(2 * kj::MILLISECONDS);
        })
        .then([this]() { return bid(); });
  }
};

// Watches everything, and counts the auctions that end.  It has to see each end once.
class Watcher {
public:
  Watcher(Cluster& cluster, kj::Timer& timer)
      : client(cluster.newClient()),
        patience(
            timer, [](kj::StringPtr) {}, []() {}),
        watch(*client, patience, random, client::ChainWatch::NOW) {
    watching = go().eagerlyEvaluate(
        [](kj::Exception&& exception) { ADD_FAILURE() << kj::str(exception).cStr(); });
  }

  std::size_t closings = 0;
  std::size_t gaps = 0;

private:
  std::unique_ptr<client::Client> client;
  SystemRandom random;
  client::Patience patience;
  client::ChainWatch watch;
  kj::Promise<void> watching = nullptr;

  kj::Promise<void> go() {
    return watch.next().then([this](client::ChangesPage page) {
      gaps += page.get().getGap() ? 1 : 0;
      for (auto change: page.get().getChanges()) {
        closings += change.getVersion().getKind() == schema::Version::Kind::CLOSED ? 1 : 0;
      }
      return go();
    });
  }
};

struct Longest {
  Nanoseconds turn = 0;
  Nanoseconds own = 0;
};

TEST(Turns, ManyAuctionsWithOneDeadlineHoldNobodyUp) {
  auto io = setUpEventLoop();
  auto& timer = io.provider->getTimer();
  Cluster cluster(io, 3);
  Creators creators(io, cluster);
  // How long it takes to make all of them.
  auto begun = timer.now();
  creators.create(AUCTIONS / 30, 0);
  auto each = (timer.now() - begun) / (AUCTIONS / 30);
  Nanoseconds most = 2 * AUCTIONS * (each / kj::NANOSECONDS);
  auto deadline = creators.chainTime() + 10 * SECOND + most;
  creators.create(AUCTIONS, deadline);
  auto epoch = cluster.chain().epoch;

  std::vector<std::unique_ptr<Bidder>> bidders;
  for (std::size_t i = 0; i < BIDDERS; ++i) {
    bidders.push_back(std::make_unique<Bidder>(io, cluster, "other-" + std::to_string(i)));
  }
  auto reader = cluster.newClient();
  auto state = [&]() {
    auto answer = reader->result(creators.last().c_str()).wait(io.waitScope);
    KJ_REQUIRE(answer.get().isAuction(), answer.get());
    return answer;
  };
  while (state().get().getAuction().getNow() < deadline - 2 * SECOND) {
    timer.afterDelay(200 * kj::MILLISECONDS).wait(io.waitScope);
  }
  Watcher watcher(cluster, timer);
  for (auto& bidder: bidders) bidder->latencies.clear();
  std::vector<Longest> longest(cluster.size());
  auto look = [&]() {
    for (std::size_t i = 0; i < cluster.size(); ++i) {
      auto response = cluster.status(i);
      auto status = response.getStatus();
      longest[i].turn = std::max(longest[i].turn, status.getLongestTurn());
      longest[i].own = std::max(longest[i].own, status.getLongestTurnOwn());
    }
  };
  cluster.until(
      "the last auction to be closed",
      [&]() {
        look();
        timer.afterDelay(100 * kj::MILLISECONDS).wait(io.waitScope);
        return !state().get().getAuction().getState().isOpen();
      },
      60 * kj::SECONDS);
  // Checkpoints follow, and nodes forget what they have stored.
  timer.afterDelay(3 * kj::SECONDS).wait(io.waitScope);
  look();

  cluster.until("all closings to be told", [&]() { return watcher.closings >= AUCTIONS; });
  EXPECT_EQ(watcher.closings, AUCTIONS);
  EXPECT_EQ(watcher.gaps, 0u);
  EXPECT_EQ(cluster.chain().epoch, epoch) << cluster.logs();
  EXPECT_TRUE(cluster.whole());
  std::vector<Nanoseconds> own;
  for (std::size_t i = 0; i < longest.size(); ++i) {
    std::printf(
        "TURN node n%zu, %zu auctions with one deadline: longest %.1f ms, of its own %.1f ms\n",
        i + 1, AUCTIONS, static_cast<double>(longest[i].turn) / 1e6,
        static_cast<double>(longest[i].own) / 1e6);
    own.push_back(longest[i].own);
  }
  std::sort(own.begin(), own.end());
  EXPECT_LE(own[own.size() / 2], 20'000'000) << "by the processor's time, others may keep it busy";

  std::vector<kj::Duration> latencies;
  for (auto& bidder: bidders) {
    latencies.insert(latencies.end(), bidder->latencies.begin(), bidder->latencies.end());
  }
  ASSERT_GT(latencies.size(), 100u) << "hardly any bids went on";
  std::sort(latencies.begin(), latencies.end());
  std::printf("TURN others' %zu bids meanwhile: p99 %.1f ms, longest %.1f ms\n", latencies.size(),
              static_cast<double>(latencies[latencies.size() * 99 / 100] / kj::MICROSECONDS) / 1e3,
              static_cast<double>(latencies.back() / kj::MICROSECONDS) / 1e3);
  bidders.clear();
  cluster.expectSameState();
}

}  // namespace
}  // namespace gavel::cluster
