#include "master/rebuild.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/rebuilder.h"
#include "tests/master/fixture.h"
#include "tests/support/memory-config-store.h"

// A master that is lost for good is made anew (R3).
namespace gavel::master {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// -- which nodes are asked for what

Configuration chainOf(std::uint64_t epoch, std::vector<unsigned> stores, bool joining = false) {
  Configuration configuration;
  configuration.clusterId = 77;
  configuration.epoch = epoch;
  for (auto store: stores) {
    auto name = "n" + std::to_string(store);
    configuration.members.push_back({name, name + ":1", 100 + store, store});
  }
  if (joining) configuration.members.back().serving = false;
  return configuration;
}

Heard shows(unsigned store, const Configuration& newest, std::uint64_t promised = 0) {
  Heard heard;
  auto name = "n" + std::to_string(store);
  heard.candidate.member = {name, name + ":1", 100 + store, store};
  heard.candidate.clusterId = 77;
  heard.candidate.generation = 3;
  heard.candidate.end = {1, 50, 50};
  heard.candidate.promised = promised;
  heard.durableEpoch = newest.epoch;
  heard.newest = newest;
  heard.address = name + ":1";
  return heard;
}

std::vector<std::string> asked(const RebuildPlan& plan) {
  std::vector<std::string> names;
  for (auto& question: plan.questions) {
    names.push_back(question.name +
                    (question.released == 0 ? "" : "/" + std::to_string(question.released)));
  }
  return names;
}

constexpr auto STEP = REBUILD_STEP;

TEST(RebuildPlanTest, AsksAllMembersOfTheNewestConfigurationThatAnybodyShows) {
  auto older = chainOf(4, {1, 2});
  auto newest = chainOf(5, {1, 2, 3}, true);
  auto plan = planRebuild({shows(1, older), shows(2, newest), shows(3, newest)}, {}, {});
  EXPECT_EQ(plan.awaited, "");
  EXPECT_THAT(asked(plan), ElementsAre("n1", "n2", "n3")) << "the syncing one as well";
  EXPECT_EQ(plan.base, newest);
  EXPECT_EQ(plan.epoch, 5 + STEP);
}

TEST(RebuildPlanTest, WaitsForEachOfThem) {
  auto newest = chainOf(5, {1, 2, 3}, true);
  auto plan = planRebuild({shows(1, newest), shows(2, newest)}, {{"n3:1", "refused"}}, {});
  EXPECT_THAT(plan.awaited, HasSubstr("not heard is n3 (n3:1: refused)"));
  EXPECT_THAT(plan.awaited, HasSubstr("--without"));
  EXPECT_THAT(planRebuild({}, {{"n1:1", "nobody"}}, {}).awaited, HasSubstr("n1:1: nobody"));
  EXPECT_THAT(planRebuild({shows(1, Configuration())}, {}, {}).awaited,
              HasSubstr("nothing to rebuild"));
  auto foreign = shows(2, newest);
  foreign.newest.clusterId = 78;
  EXPECT_THAT(planRebuild({shows(1, newest), foreign}, {}, {}).awaited,
              HasSubstr("different clusters"));
}

TEST(RebuildPlanTest, KnowsMembersByTheirStore) {
  auto newest = chainOf(5, {1, 2});
  auto restarted = shows(2, newest);
  restarted.candidate.member.incarnation = 999;
  restarted.candidate.member.address = restarted.address = "n2:7";
  auto plan = planRebuild({shows(1, newest), restarted}, {{"n2:1", "refused"}}, {});
  EXPECT_EQ(plan.awaited, "");
  EXPECT_EQ(plan.questions[1].address, "n2:7");
  auto copied = planRebuild({shows(1, newest), shows(2, newest), restarted}, {}, {});
  EXPECT_THAT(copied.awaited, HasSubstr("two processes run on copies of the data directory of n2"));
}

TEST(RebuildPlanTest, TakesAnEpochAboveAllThatWasPromised) {
  auto newest = chainOf(5, {1, 2});
  auto plan = planRebuild({shows(1, newest, 5 + STEP), shows(2, newest)}, {}, {});
  EXPECT_EQ(plan.awaited, "");
  EXPECT_EQ(plan.epoch, 5 + 2 * STEP);
}

// 1 has promised at epoch 5, and 2 was not asked before it adopted 6.
TEST(RebuildPlanTest, ReleasesANodeWhosePromiseNotAllCanHaveGiven) {
  auto before = chainOf(5, {1, 2, 3});
  auto after = chainOf(6, {1, 2});
  auto plan = planRebuild({shows(1, before, 5 + STEP), shows(2, after), shows(3, before)}, {}, {});
  EXPECT_EQ(plan.awaited, "");
  EXPECT_EQ(plan.base.epoch, 6u);
  EXPECT_THAT(asked(plan), ElementsAre("n1/5", "n2"));
  // 2 only knows of it, may forget it, and then may have promised at 5.
  auto heardOnly = shows(2, after);
  heardOnly.durableEpoch = 5;
  plan = planRebuild({shows(1, before, 5 + STEP), heardOnly, shows(3, before)}, {}, {});
  EXPECT_EQ(plan.base.epoch, 5u);
}

// Only a spare shows 6, which 1 can never adopt.
TEST(RebuildPlanTest, BeginsWhereAllCanSayTheSame) {
  auto before = chainOf(5, {1, 2});
  auto after = chainOf(6, {1});
  auto plan = planRebuild({shows(1, before, 5 + STEP), shows(2, before), shows(9, after)}, {}, {});
  EXPECT_EQ(plan.awaited, "");
  EXPECT_EQ(plan.base.epoch, 5u);
  EXPECT_THAT(asked(plan), ElementsAre("n1", "n2"));
  EXPECT_EQ(plan.epoch, 5 + 2 * STEP);
  auto waits = planRebuild({shows(1, before, 5 + STEP), shows(9, after)}, {}, {});
  EXPECT_THAT(waits.awaited, HasSubstr("every member of epoch 5"));
}

TEST(RebuildPlanTest, GivesUpOnlyMembersThatAreNotHeard) {
  auto newest = chainOf(5, {1, 2, 3});
  std::vector<Heard> two = {shows(1, newest), shows(3, newest)};
  auto plan = planRebuild(two, {}, {"n2"});
  EXPECT_EQ(plan.awaited, "");
  ASSERT_EQ(plan.givenUp.size(), 1u);
  EXPECT_EQ(plan.givenUp[0].name, "n2");
  EXPECT_THAT(planRebuild(two, {}, {"n1", "n2"}).awaited, HasSubstr("n1 is heard"));
  EXPECT_THAT(planRebuild(two, {}, {"n2", "n7"}).awaited, HasSubstr("n7"));
}

// -- the rebuilt document

Candidate promises(unsigned store, std::uint64_t end, std::uint64_t bound) {
  auto candidate = shows(store, Configuration()).candidate;
  candidate.last = end;
  candidate.end = {2, end, end};
  candidate.bound = {{2, bound, bound}, 5};
  return candidate;
}

RebuildPlan planOf(const Configuration& base, std::vector<Member> givenUp = {}) {
  RebuildPlan plan;
  plan.base = base;
  plan.epoch = base.epoch + STEP;
  plan.givenUp = std::move(givenUp);
  return plan;
}

TEST(RebuiltDocumentTest, HasTheSameMembersAndTheHighestBound) {
  auto base = chainOf(5, {1, 2, 3}, true);
  base.minMembers = 2;
  base.restartedIn = 3;
  base.restartedFrom = {2, 10, 10};
  auto all = {promises(1, 50, 40), promises(2, 48, 44), promises(3, 30, 20)};
  auto rebuilt = rebuiltDocument(planOf(base), all, 9);
  EXPECT_EQ(rebuilt.refused, "");
  auto& current = rebuilt.document.current();
  EXPECT_EQ(current.epoch, 5 + STEP);
  EXPECT_EQ(current.members, base.members);
  EXPECT_EQ(current.reign, 9u);
  EXPECT_EQ(current.restartedIn, 3u);
  EXPECT_EQ(current.restartedFrom, (Position{2, 10, 10}));
  EXPECT_EQ(current.minMembers, 2u);
  EXPECT_EQ(rebuilt.document.bound, (Bound{{2, 44, 44}, 5}));
  ASSERT_NE(rebuilt.document.findStore(2), nullptr);
  EXPECT_EQ(rebuilt.document.findStore(2)->generation, 3u);
  // It can be stored and read again.
  EXPECT_EQ(Document::decode(rebuilt.document.encode()), rebuilt.document);
}

TEST(RebuiltDocumentTest, WithoutSomeGoesOnFromOneSourceAlone) {
  auto base = chainOf(5, {1, 2, 3});
  auto plan = planOf(base, {base.members[1]});
  auto restarted = promises(3, 60, 40);
  restarted.member.incarnation = 999;
  auto rebuilt = rebuiltDocument(plan, {promises(1, 50, 40), restarted}, 9);
  auto& current = rebuilt.document.current();
  ASSERT_EQ(current.members.size(), 1u);
  EXPECT_EQ(current.members[0].incarnation, 999u) << "the longest log, as it runs now";
  EXPECT_EQ(current.restartedIn, 5 + STEP);
  EXPECT_EQ(current.restartedFrom, (Position{2, 60, 60}));
  EXPECT_EQ(rebuilt.document.bound, (Bound{{2, 60, 60}, 5 + STEP}));
  EXPECT_THAT(current.cause, HasSubstr("without n2"));

  restarted.stored = false;
  EXPECT_THAT(rebuiltDocument(plan, {promises(1, 50, 40), restarted}, 9).refused,
              HasSubstr("not on its disk yet"));
  restarted.damage = "it lacks something";
  auto sound = rebuiltDocument(plan, {promises(1, 50, 40), restarted}, 9);
  EXPECT_EQ(sound.document.current().members[0].name, "n1");
  EXPECT_THAT(rebuiltDocument(plan, {restarted}, 9).refused, HasSubstr("nothing to go on from"));
}

// -- with nodes and masters

class RebuildTest: public MasterTest {
protected:
  ~RebuildTest() noexcept override = default;

  kj::Own<Rebuilder> rebuilder;

  kj::Promise<Document> rebuilding(std::vector<std::string> without = {}) {
    rebuilder = kj::heap<Rebuilder>(world.network, world.timer, world.clock, world.random,
                                    *world.store, Rebuilder::Options{{node(1).address}, without});
    return rebuilder->run();
  }
  // The disk of the master is lost.
  kj::Own<ConfigStore> loseMaster() {
    world.killMaster();
    auto lost = kj::mv(world.store);
    world.store = kj::heap<MemoryConfigStore>();
    return lost;
  }
  void awaitAll() {
    world.runUntil([this]() {
      for (auto& each: world.nodes) {
        if (each->running() && each->adopted.epoch != world.epoch()) return false;
      }
      return true;
    });
  }
};

TEST_F(RebuildTest, ALostMasterIsMadeAnewAndLeadsOn) {
  world.startChain(3);
  for (auto& each: world.nodes) each->bound = each->last = 40;
  auto lost = loseMaster();
  auto document = world.wait(rebuilding());
  EXPECT_EQ(document.current().epoch, 1 + STEP);
  EXPECT_EQ(document.bound.at.index, 40u);
  world.startMaster();
  awaitAll();
  EXPECT_EQ(world.members(), "n1 > n2 > n3");
  EXPECT_NE(world.master->current().reign, 0u);
  EXPECT_EQ(world.master->notice(), "");
  node(2).kill();
  world.runUntil(chainIs("n1 > n3"));
  EXPECT_EQ(world.master->current().reign, document.current().reign);
  world.restart(node(2));
  world.runUntil(chainIs("n1 > n3 > n2"));
}

TEST_F(RebuildTest, TheOldMasterDecidesNothingWhenItComesBack) {
  world.startChain(3);
  auto lost = loseMaster();
  world.wait(rebuilding());
  world.startMaster();
  awaitAll();
  world.killMaster();
  world.store = kj::mv(lost);
  world.startMaster();
  node(3).kill();
  world.runFor(20 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(world.master->notice(), HasSubstr("the master's store was made anew"));
  EXPECT_THAT(world.master->notice(), HasSubstr("do not start it again"));
  EXPECT_THAT(node(1).refusal, HasSubstr("follows the master of reign"));
}

// A rebuild that is given up halfway: the promises stand.
TEST_F(RebuildTest, AnOldMasterThatLivesDecidesNothingOnceAMemberHasPromised) {
  world.startChain(3);
  MemoryConfigStore anew;
  node(3).refusesPromise = "not now";
  auto halfway = kj::heap<Rebuilder>(world.network, world.timer, world.clock, world.random, anew,
                                     Rebuilder::Options{{node(1).address}, {}});
  auto running = halfway->run().ignoreResult().eagerlyEvaluate(nullptr);
  world.runUntil([&]() { return node(1).promised != 0 && node(2).promised != 0; });
  running = nullptr;
  EXPECT_THAT(halfway->awaited(), HasSubstr("n3 does not promise: not now"));
  world.runFor(2 * kj::SECONDS);
  node(2).kill();
  world.runFor(20 * kj::SECONDS);
  EXPECT_EQ(world.epoch(), 1u);
  EXPECT_THAT(world.master->notice(), HasSubstr("n1 has promised a master that is being rebuilt"));
  EXPECT_THAT(world.master->notice(), HasSubstr("Run gavel-master --rebuild again"));
  auto request = world.client().drainRequest();
  request.setNode("n3");
  EXPECT_THAT(world.wait(request.send()).getResult().getRefused().cStr(),
              HasSubstr("nothing is decided"));

  // The rebuild has to be run to its end.
  node(3).refusesPromise = "";
  auto& back = world.makeSuccessor(node(2));
  back.address = node(2).address;
  back.adopted = node(1).adopted;
  back.start();
  auto promisedBefore = node(1).promised;
  auto lost = loseMaster();
  auto document = world.wait(rebuilding());
  EXPECT_GT(document.current().epoch, promisedBefore);
  EXPECT_EQ(document.current().describe(), "n1 > n2 > n3");
  world.startMaster();
  world.runUntil(chainIs("n1 > n3 > n2"));
  EXPECT_TRUE(world.master->current().contains(back.incarnation));
}

TEST_F(RebuildTest, WaitsForAMemberAndForItsPromise) {
  world.startChain(2);
  auto lost = loseMaster();
  node(2).kill();
  auto document = rebuilding().eagerlyEvaluate(nullptr);
  world.runFor(10 * kj::SECONDS);
  EXPECT_FALSE(document.poll(world.waitScope));
  EXPECT_THAT(rebuilder->awaited(), HasSubstr("not heard is n2"));
  auto& back = world.makeSuccessor(node(2));
  back.address = node(2).address;
  back.adopted = node(1).adopted;
  back.refusesPromise = "the disk is full";
  back.start();
  world.runFor(10 * kj::SECONDS);
  EXPECT_FALSE(document.poll(world.waitScope));
  EXPECT_THAT(rebuilder->awaited(), HasSubstr("n2 does not promise: the disk is full"));
  EXPECT_EQ(world.store->get().wait(world.waitScope).version, 0u);
  back.refusesPromise = "";
  auto rebuilt = world.wait(kj::mv(document));
  EXPECT_EQ(rebuilt.current().members[1].incarnation, node(2).incarnation)
      << "as a configuration names it, and not as it runs: that is for the master to find";
  world.startMaster();
  world.runUntil(chainIs("n1 > n2"));
}

// The old master still runs.  It decides once more between the first look at all nodes and the
// questions.
TEST_F(RebuildTest, BeginsAnewWhereAMemberHasANewerOneByThen) {
  world.startChain(3);
  world.killMaster();
  auto newer = node(1).adopted.next();
  newer.members = {node(1).adopted.members[0], node(1).adopted.members[1]};
  MemoryConfigStore anew;
  node(2).onPromise = [&]() {
    node(2).adopt(newer);
    node(2).onPromise = nullptr;
  };
  Rebuilder again(world.network, world.timer, world.clock, world.random, anew,
                  Rebuilder::Options{{node(1).address}, {}});
  auto document = world.wait(again.run());
  EXPECT_EQ(document.current().describe(), "n1 > n2") << "1, which has promised, is released";
  EXPECT_EQ(node(1).adopted.epoch, 2u);
  EXPECT_EQ(document.current().epoch, 1 + 2 * STEP);
}

TEST_F(RebuildTest, OfTwoAtATimeOneComesToItsEnd) {
  world.startChain(2);
  world.killMaster();
  MemoryConfigStore one, two;
  Rebuilder first(world.network, world.timer, world.clock, world.random, one,
                  Rebuilder::Options{{node(1).address}, {}});
  Rebuilder second(world.network, world.timer, world.clock, world.random, two,
                   Rebuilder::Options{{node(2).address}, {}});
  auto a = first.run().eagerlyEvaluate(nullptr);
  auto b = second.run().eagerlyEvaluate(nullptr);
  world.runUntil([&]() { return a.poll(world.waitScope) || b.poll(world.waitScope); });
  world.runFor(5 * kj::SECONDS);
  std::set<std::uint64_t> epochs;
  for (auto* store: {&one, &two}) {
    auto stored = store->get().wait(world.waitScope);
    if (stored.version == 0) continue;
    auto current = Document::decode(stored.document).current();
    EXPECT_TRUE(epochs.insert(current.epoch).second) << "no epoch is made twice";
  }
  ASSERT_FALSE(epochs.empty());
  EXPECT_EQ(*epochs.rbegin(), node(1).promised);
  EXPECT_EQ(*epochs.rbegin(), node(2).promised);
}

TEST_F(RebuildTest, IsRefusedWhereThereIsADocument) {
  world.startChain(2);
  world.killMaster();
  try {
    world.wait(rebuilding());
    FAIL() << "rebuilt";
  } catch (const kj::Exception& exception) {
    EXPECT_THAT(exception.getDescription().cStr(), HasSubstr("holds a configuration already"));
    EXPECT_THAT(exception.getDescription().cStr(), HasSubstr("without --rebuild"));
  }
}

TEST_F(RebuildTest, WithoutALostMemberGoesOnFromOneAndTheRestJoinsIt) {
  world.startChain(3);
  auto lost = loseMaster();
  node(2).kill();
  node(1).last = 45;
  world.wait(rebuilding({"n2"}));
  world.startMaster();
  EXPECT_EQ(world.master->current().restartedIn, 1 + STEP);
  EXPECT_EQ(world.master->current().restartedFrom.index, 45u);
  world.runUntil(chainIs("n1 > n3"));
}

}  // namespace
}  // namespace gavel::master
