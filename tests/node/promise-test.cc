#include <gmock/gmock.h>

#include "tests/node/chain-fixture.h"

// A node's promise to a master that makes the store of a lost one anew (R3).
namespace gavel::node {
namespace {

using ::testing::HasSubstr;

class PromiseTest: public ChainFixture {
protected:
  ~PromiseTest() noexcept override = default;

  static constexpr std::uint64_t FAR = 1 << 20;

  struct Answer {
    bool promised = false;
    std::uint64_t newer = 0;  // Epoch of the newer configuration that the node has.
    std::string refused;
  };
  kj::Promise<Answer> asking(std::size_t i, const Configuration& newest, std::uint64_t epoch,
                             std::uint64_t reign = 7, std::uint64_t released = 0,
                             std::uint64_t storeId = 0) {
    auto request = connect(i).promiseRequest();
    request.setClusterId(newest.clusterId);
    request.setStoreId(storeId == 0 ? nodes[i]->store.recovered().storeId : storeId);
    newest.write(request.initConfiguration());
    request.setEpoch(epoch);
    request.setReign(reign);
    request.setReleased(released);
    return request.send().then([](auto&& response) {
      auto result = response.getResult();
      Answer answer;
      answer.promised = result.isPromised();
      if (result.isNewer()) answer.newer = result.getNewer().getEpoch();
      if (result.isRefused()) answer.refused = result.getRefused().cStr();
      return answer;
    });
  }
  template <typename... Rest>
  Answer ask(std::size_t i, const Configuration& newest, Rest... rest) {
    return within(asking(i, newest, rest...), "an answer");
  }
  std::uint64_t epochOf(std::size_t i) { return replica(i).newest().epoch; }
  void adopt(std::size_t i, const Configuration& newer) {
    within(replica(i).adopt(newer), "a configuration to be adopted, or refused");
  }
  Configuration later(const std::vector<std::size_t>& members, std::uint64_t epoch,
                      std::uint64_t reign) {
    auto result = next(members);
    result.epoch = epoch;
    result.reign = reign;
    return result;
  }
};

TEST_F(PromiseTest, IsDurableBeforeItIsAnswered) {
  startChain(1, Sync::manual);
  auto answer = asking(0, configuration, FAR);
  settle();
  EXPECT_FALSE(answer.poll(io.waitScope));
  EXPECT_EQ(nodes[0]->store.promised(), RebuildPromise());
  nodes[0]->store.syncNow();
  EXPECT_TRUE(within(kj::mv(answer), "an answer").promised);
  EXPECT_EQ(nodes[0]->store.promised(), (RebuildPromise{FAR, 7}));
}

TEST_F(PromiseTest, BindsFromTheMomentItWasAskedFor) {
  startChain(2, Sync::manual);
  auto answer = asking(0, configuration, FAR);
  settle();
  adopt(0, next({0}));
  EXPECT_EQ(epochOf(0), 1u);
  nodes[0]->store.syncNow();
  EXPECT_TRUE(within(kj::mv(answer), "an answer").promised);
}

TEST_F(PromiseTest, NothingBelowIsAdoptedFromMasterOrPeer) {
  startChain(2);
  EXPECT_TRUE(ask(0, configuration, FAR).promised);
  EXPECT_TRUE(ask(1, configuration, FAR).promised);
  auto old = next({0});
  adopt(0, old);
  EXPECT_EQ(epochOf(0), 1u);
  EXPECT_THAT(KJ_ASSERT_NONNULL(replica(0).whyNotAdopt(old)).cStr(),
              HasSubstr("run gavel-master --rebuild again"));
  // A peer that has adopted it even so shows it.
  auto request = connect(1).attachRequest();
  auto shown = next({0, 1});
  request.initHeader().setClusterId(shown.clusterId);
  request.getHeader().setEpoch(shown.epoch);
  request.getHeader().setSender(replica(0).incarnation());
  request.getHeader().setReceiver(replica(1).incarnation());
  request.setProtocolVersion(schema::PROTOCOL_VERSION);
  shown.write(request.initConfiguration());
  EXPECT_TRUE(within(request.send(), "an answer").getResult().isRejected());
  settle();
  EXPECT_EQ(epochOf(1), 1u);
  // Of the epoch itself it adopts only what that reign has made.
  adopt(0, later({0, 1}, FAR, 8));
  EXPECT_EQ(epochOf(0), 1u);
  adopt(0, later({0, 1}, FAR, 7));
  EXPECT_EQ(epochOf(0), FAR);
  EXPECT_EQ(replica(0).newest().reign, 7u);
}

TEST_F(PromiseTest, TheChainServesOn) {
  startChain(3);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(ask(i, configuration, FAR).promised);
  auto client = connect(1);
  auto session = openSession(client);
  createAuction(client, session, 1, "lamp");
  EXPECT_TRUE(within(bid(client, session, 2, 100), "a bid").getOutcome().isSuccess());
  EXPECT_EQ(result(client).getAnswer().getAuction().getBids(), 1u);
  auto next = later({0, 1, 2}, FAR, 7);
  for (std::size_t i = 0; i < 3; ++i) adopt(i, next);
  EXPECT_TRUE(within(bid(client, session, 3, 200), "a bid").getOutcome().isSuccess());
}

TEST_F(PromiseTest, OnlyAHigherOneTakesItsPlace) {
  startChain(1);
  EXPECT_TRUE(ask(0, configuration, FAR).promised);
  EXPECT_TRUE(ask(0, configuration, FAR).promised) << "the same again";
  EXPECT_THAT(ask(0, configuration, FAR, 8).refused, HasSubstr("has promised the master of reign"));
  EXPECT_TRUE(ask(0, configuration, FAR + 1, 8).promised);
  EXPECT_THAT(ask(0, configuration, FAR, 7).refused, HasSubstr("which is not below"));
  adopt(0, later({0}, FAR, 7));
  EXPECT_EQ(epochOf(0), 1u) << "the first of the two is over";
}

TEST_F(PromiseTest, ShowsTheNewerConfigurationThatItHas) {
  startChain(2);
  auto before = configuration;
  relink({0});
  EXPECT_EQ(ask(0, before, FAR).newer, 2u);
  adopt(0, next({0}));
  EXPECT_EQ(epochOf(0), 3u) << "nothing was promised";
}

TEST_F(PromiseTest, AdoptsTheNewestOneFirst) {
  startChain(2);
  auto newer = next({0, 1});
  EXPECT_TRUE(ask(1, newer, FAR).promised);
  EXPECT_EQ(epochOf(1), 2u);
  EXPECT_EQ(nodes[1]->store.configuration().epoch, 2u) << "durable as well";
}

TEST_F(PromiseTest, DoesNotAdoptWhatItHasPromisedNotToUnlessItIsReleased) {
  startChain(2);
  EXPECT_TRUE(ask(0, configuration, FAR).promised);
  auto newer = next({0, 1});
  EXPECT_THAT(ask(0, newer, 2 * FAR, 8).refused, HasSubstr("cannot adopt epoch 2 first"));
  EXPECT_THAT(ask(0, newer, 2 * FAR, 8, 5).refused, HasSubstr("cannot adopt epoch 2 first"))
      << "of another epoch than its own";
  EXPECT_TRUE(ask(0, newer, 2 * FAR, 8, 1).promised);
  EXPECT_EQ(epochOf(0), 2u);
}

TEST_F(PromiseTest, OutlivesTheProcess) {
  startChain(1);
  EXPECT_TRUE(ask(0, configuration, FAR).promised);
  auto store = nodes[0]->store.restart(MemoryStore::Crash::power);
  EXPECT_EQ(store->recovered().promised, (RebuildPromise{FAR, 7}));
}

TEST_F(PromiseTest, IsToldInTheStatusUntilItIsKept) {
  startChain(1);
  auto promised = [this]() {
    auto response = within(connect(0).statusRequest().send(), "a status");
    auto status = response.getStatus();
    return std::pair(status.getPromisedEpoch(), status.getReign());
  };
  EXPECT_EQ(promised(), std::pair(std::uint64_t{0}, std::uint64_t{0}));
  ask(0, configuration, FAR);
  EXPECT_EQ(promised(), std::pair(FAR, std::uint64_t{0}));
  adopt(0, later({0}, FAR, 7));
  EXPECT_EQ(promised(), std::pair(std::uint64_t{0}, std::uint64_t{7}));
}

TEST_F(PromiseTest, IsRefusedForAnotherStoreOrCluster) {
  startChain(1);
  EXPECT_THAT(ask(0, configuration, FAR, 7u, 0u, 4711u).refused,
              HasSubstr("another data directory"));
  auto other = configuration;
  other.clusterId = 78;
  EXPECT_THAT(ask(0, other, FAR).refused, HasSubstr("another cluster"));
  EXPECT_THAT(ask(0, configuration, 1u).refused, HasSubstr("epoch 1 is over"));
}

}  // namespace
}  // namespace gavel::node
