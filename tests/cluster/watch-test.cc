#include <algorithm>
#include <signal.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/seeded.h"

// `gavel watch`, while nodes die: every version once, in order.
namespace gavel::cluster {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::size_t NODES = 3;
constexpr int KILLS = 5;
constexpr int VERSIONS = 10'000;
constexpr int LIST = 100;
constexpr int MANY = 60'000;
const std::string SECRET(32, 's');

class Watching: public Seeded {
protected:
  ~Watching() noexcept override = default;

  Flags command(Cluster& cluster, const Flags& arguments) {
    Flags all = {"/usr/bin/env",
                 "XDG_CONFIG_HOME=" + cluster.directory() + "/watcher",
                 "XDG_STATE_HOME=" + cluster.directory() + "/watcher",
                 binary("gavel"),
                 "--server",
                 cluster.servers(),
                 "watch"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  std::unique_ptr<Process> watch(Cluster& cluster, const Flags& arguments) {
    return std::make_unique<Process>(io, command(cluster, arguments),
                                     cluster.directory() + "/watcher.log");
  }

  static client::Identity bidder() { return {"ann", kj::StringPtr(SECRET.c_str()).asBytes()}; }

  void create(client::Client& client, kj::StringPtr auction) {
    capnp::MallocMessageBuilder message;
    auto terms = message.initRoot<schema::Terms>();
    terms.setDuration(3'600'000'000'000);
    auto created = client.create(auction, bidder(), terms).wait(io.waitScope);
    KJ_REQUIRE(created.outcome().isSuccess(), created.outcome());
  }
  // Makes `count` more versions.
  void bid(client::Client& client, kj::StringPtr auction, int count) {
    for (int done = 0; done < count;) {
      auto size = std::min(LIST, count - done);
      std::vector<client::BidOrder> orders;
      for (int i = 0; i < size; ++i) orders.push_back({auction, bidder(), ++highest});
      auto results = client.bids(kj::arrayPtr(orders.data(), orders.size())).wait(io.waitScope);
      for (auto& result: results) {
        KJ_REQUIRE(result.outcome().isSuccess(), result.outcome());
      }
      done += size;
    }
  }

  std::int64_t highest = 0;
};

TEST_F(Watching, TellsTenThousandVersionsOnceAndInOrderAcrossFiveKills) {
  Cluster cluster(io, NODES, {"--flap-delay", "0s"});
  auto client = cluster.newClient();
  create(*client, "lamp");
  auto one = watch(cluster, {"--auction", "lamp", "--from", "1", "-o", "json"});
  auto all = watch(cluster, {"--all", "--from", "0", "-o", "json"});
  // Two versions are the auction's beginning and end.
  constexpr int PART = (VERSIONS - 2) / (2 * KILLS);
  for (int i = 0; i < KILLS; ++i) {
    bid(*client, "lamp", PART);
    auto victim = cluster.chain().serving[static_cast<std::size_t>(i) % NODES];
    cluster.node(victim).kill();
    bid(*client, "lamp", PART);
    cluster.restartNode(victim);
    cluster.untilWhole();
  }
  bid(*client, "lamp", VERSIONS - 2 - 2 * KILLS * PART);
  auto closed = client->close("lamp", bidder()).wait(io.waitScope);
  ASSERT_TRUE(closed.outcome().isSuccess());
  for (auto* process: {one.get(), all.get()}) {
    for (int version = 1; version <= VERSIONS; ++version) {
      ASSERT_THAT(process->readLine(), StartsWith(R"({"v":1,"auction":"lamp","version":")" +
                                                  std::to_string(version) + "\","))
          << cluster.logs();
    }
  }
  EXPECT_EQ(one->tryReadLine(), std::nullopt) << "nothing comes after the end";
  EXPECT_EQ(one->wait(), 0);
  all->signal(SIGINT);
  EXPECT_EQ(all->wait(), 130);
}

TEST_F(Watching, SaysSoWhereWhatHappenedIsNotHeldAnyMore) {
  Cluster cluster(io, 1);
  auto client = cluster.newClient();
  create(*client, "lamp");
  // More than the log after a checkpoint, from which a restarted node begins.
  bid(*client, "lamp", MANY);
  cluster.restartNode(0);
  cluster.untilWhole();
  auto all = watch(cluster, {"--all", "--from", "0", "-o", "json"});
  EXPECT_THAT(all->readLine(), StartsWith(R"({"v":1,"kind":"resynchronised","position":")"));
  bid(*client, "lamp", 1);
  auto versionIn = [](const std::string& line) {
    constexpr const char NAME[] = R"("version":")";
    auto at = line.find(NAME);
    KJ_REQUIRE(at != std::string::npos, line.c_str());
    return std::stoi(line.substr(at + sizeof(NAME) - 1));
  };
  auto version = versionIn(all->readLine());
  EXPECT_GT(version, 1);
  while (version < MANY + 2) {
    auto next = versionIn(all->readLine());
    ASSERT_EQ(next, version + 1) << "what is held comes without a gap";
    version = next;
  }
  auto one = watch(cluster, {"--auction", "lamp", "--from", "300"});
  EXPECT_THAT(one->readLine(), HasSubstr("#300  bid 299 by ann"));
}

TEST_F(Watching, TellsWhoIsOutbidAndWhatIsExtendedAndWhoWins) {
  Cluster cluster(io, 1);
  cluster.gavel("seller", {"auctions", "create", "lamp", "--duration", "1h", "--soft-close",
                           "59m59s,59m59s,2h"});
  auto one = watch(cluster, {"--auction", "lamp"});
  cluster.until("it watches", [&]() { return one->log().find("no bid yet") != std::string::npos; });
  cluster.gavel("alice", {"bid", "120", "-a", "lamp"});
  cluster.gavel("bob", {"bid", "150", "-a", "lamp"});
  cluster.gavel("seller", {"auctions", "close", "lamp"});
  EXPECT_THAT(one->readLine(), HasSubstr("#2  bid 120 by alice"));
  EXPECT_THAT(one->readLine(), HasSubstr("#3  bid 150 by bob, outbidding alice"));
  EXPECT_THAT(one->readLine(), HasSubstr("#4  over: bob wins for 150"));
  EXPECT_EQ(one->wait(), 0);
  auto late = cluster.gavel("alice", {"watch", "-a", "lamp", "-o", "json"});
  EXPECT_EQ(late.status, 0);
  EXPECT_THAT(late.output, HasSubstr(R"("version":"4")")) << "the end, to those who come after it";
  EXPECT_EQ(cluster.gavel("alice", {"watch", "-a", "lump"}).status, 6);

  auto csv = cluster.gavel("alice", {"history", "-a", "lamp", "--csv", "--bidder", "bob"});
  EXPECT_THAT(
      csv.output,
      StartsWith("auction,version,time,stamp_ns,what,who,amount,deadline,deadline_ns\nlamp,3,"));
  EXPECT_EQ(std::count(csv.output.begin(), csv.output.end(), '\n'), 2);
}

}  // namespace
}  // namespace gavel::cluster
