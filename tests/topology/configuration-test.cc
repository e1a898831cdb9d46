#include "topology/configuration.h"

#include <capnp/message.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

namespace gavel {
namespace {

Configuration chainOf(std::initializer_list<std::uint64_t> incarnations, bool lastSyncing = false) {
  Configuration configuration;
  configuration.clusterId = 1;
  configuration.epoch = 4;
  for (auto incarnation: incarnations) {
    configuration.members.push_back(
        {"n" + std::to_string(incarnation), "localhost:1", incarnation, incarnation + 100, true});
  }
  if (lastSyncing) configuration.members.back().serving = false;
  return configuration;
}

Configuration sent(const Configuration& configuration) {
  capnp::MallocMessageBuilder message;
  configuration.write(message.initRoot<schema::Configuration>());
  return Configuration::read(message.getRoot<schema::Configuration>().asReader());
}

TEST(Configuration, SurvivesTheWire) {
  auto configuration = chainOf({7, 8, 9}, true);
  configuration.cause = "n6 lost";
  configuration.stamp = 12;
  EXPECT_EQ(sent(configuration), configuration);
  EXPECT_EQ(sent(Configuration{}), Configuration{});
}

TEST(Configuration, GivesEachMemberItsRoleAndNeighbours) {
  auto three = chainOf({7, 8, 9});
  EXPECT_EQ(three.roleOf(7), Role::head);
  EXPECT_EQ(three.roleOf(8), Role::middle);
  EXPECT_EQ(three.roleOf(9), Role::tail);
  EXPECT_EQ(three.roleOf(6), Role::waiting);
  EXPECT_EQ(three.predecessor(7), nullptr);
  EXPECT_EQ(three.predecessor(8)->incarnation, 7u);
  EXPECT_EQ(three.successor(8)->incarnation, 9u);
  EXPECT_EQ(three.successor(9), nullptr);
  EXPECT_EQ(three.head()->incarnation, 7u);
  EXPECT_EQ(three.tail()->incarnation, 9u);
  EXPECT_EQ(chainOf({7}).roleOf(7), Role::single);
  EXPECT_EQ(Configuration{}.head(), nullptr);
  EXPECT_EQ(Configuration{}.tail(), nullptr);
}

TEST(Configuration, LinksASyncingMemberAfterTheTail) {
  auto joining = chainOf({7, 8, 9}, true);
  EXPECT_EQ(joining.roleOf(8), Role::tail);
  EXPECT_EQ(joining.roleOf(9), Role::syncing);
  EXPECT_EQ(joining.tail()->incarnation, 8u);
  EXPECT_EQ(joining.joiner()->incarnation, 9u);
  EXPECT_EQ(joining.successor(8)->incarnation, 9u);
  EXPECT_EQ(joining.predecessor(9)->incarnation, 8u);
  EXPECT_EQ(chainOf({7, 8}).joiner(), nullptr);
  EXPECT_EQ(Configuration{}.joiner(), nullptr);
  EXPECT_EQ(chainOf({7, 8}, true).roleOf(7), Role::single);
}

TEST(Configuration, RefusesWhatNoMasterMayDecide) {
  auto refused = [](const Configuration& configuration) {
    return kj::runCatchingExceptions([&]() { sent(configuration); }) != nullptr;
  };
  auto sameStore = chainOf({7, 8});
  sameStore.members[1].storeId = sameStore.members[0].storeId;
  EXPECT_TRUE(refused(sameStore));
  EXPECT_TRUE(refused(chainOf({7, 7})));
  EXPECT_TRUE(refused(chainOf({})));
  auto syncingFirst = chainOf({7, 8});
  syncingFirst.members[0].serving = false;
  EXPECT_TRUE(refused(syncingFirst));
  auto twoSyncing = chainOf({7, 8, 9}, true);
  twoSyncing.members[1].serving = false;
  EXPECT_TRUE(refused(twoSyncing));
}

}  // namespace
}  // namespace gavel
