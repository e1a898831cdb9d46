#include "master/membership.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/master/validate.h"

namespace gavel::master {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Member member(unsigned number, bool serving = true) {
  return {"n" + std::to_string(number), "host:" + std::to_string(7400 + number), 100 + number,
          200 + number, serving};
}

// A chain of `serving` members, and one that is syncing if `syncing`.
Configuration chain(unsigned serving, bool syncing) {
  Configuration configuration{77, 5, {}, 0, "test"};
  for (unsigned i = 1; i <= serving; ++i) configuration.members.push_back(member(i));
  if (syncing) configuration.members.push_back(member(serving + 1, false));
  return configuration;
}

std::vector<std::string> names(const Configuration& configuration) {
  std::vector<std::string> result;
  for (auto& each: configuration.members) result.push_back(each.name);
  return result;
}

Candidate candidate(unsigned number, bool empty = true, std::uint64_t clusterId = 0) {
  Candidate result;
  result.member = member(number);
  result.clusterId = clusterId;
  result.empty = empty;
  return result;
}

// The result of withoutLost(), defined in another way: exactly the lost members go, if there are
// any and somebody who serves and is heard stays.
void checkRemoval(const Configuration& before, unsigned lostBits, unsigned heardBits) {
  std::vector<Loss> losses;
  std::set<std::uint64_t> heard;
  std::vector<Member> expected;
  bool allowed = false;
  for (unsigned i = 0; i < before.members.size(); ++i) {
    auto& each = before.members[i];
    bool isLost = (lostBits >> i & 1) != 0;
    bool isHeard = (heardBits >> i & 1) != 0;
    if (isLost) losses.push_back({each.incarnation, "test"});
    if (isHeard) heard.insert(each.incarnation);
    if (!isLost) expected.push_back(each);
    if (!isLost && isHeard && each.serving) allowed = true;
  }
  losses.push_back({999, "no member"});

  auto decision = withoutLost(before, losses, heard);
  auto* after = std::get_if<Configuration>(&decision);
  ASSERT_EQ(after != nullptr, allowed && lostBits != 0)
      << before.describe() << " lost " << lostBits << " heard " << heardBits;
  if (after == nullptr) return;
  EXPECT_EQ(validate(before, *after), std::nullopt);
  EXPECT_EQ(after->members, expected);
}

TEST(Membership, RemovesExactlyTheLostInAllSmallChains) {
  unsigned checked = 0;
  for (unsigned serving = 1; serving <= 4; ++serving) {
    for (bool syncing: {false, true}) {
      auto before = chain(serving, syncing);
      unsigned sets = 1u << before.members.size();
      for (unsigned lost = 0; lost < sets; ++lost) {
        for (unsigned heard = 0; heard < sets; ++heard, ++checked) {
          checkRemoval(before, lost, heard);
        }
      }
    }
  }
  EXPECT_EQ(checked, 4u + 16 + 16 + 64 + 64 + 256 + 256 + 1024);
}

// Tries all ways in which a chain can shrink, by any losses in any order.
unsigned shrink(const Configuration& before) {
  unsigned steps = 0;
  std::set<std::uint64_t> heard;
  for (auto& each: before.members) heard.insert(each.incarnation);
  for (unsigned lost = 1; lost < 1u << before.members.size(); ++lost) {
    std::vector<Loss> losses;
    for (unsigned i = 0; i < before.members.size(); ++i) {
      if ((lost >> i & 1) != 0) losses.push_back({before.members[i].incarnation, "test"});
    }
    auto decision = withoutLost(before, losses, heard);
    if (auto* after = std::get_if<Configuration>(&decision)) {
      EXPECT_EQ(validate(before, *after), std::nullopt);
      steps += 1 + shrink(*after);
    } else {
      EXPECT_EQ(losses.size(), before.members.size());
    }
  }
  return steps;
}

TEST(Membership, EveryWayDownEndsWithOneMember) {
  // Chains of subsets: each is a way to split four members into those lost first, second, and so
  // on.
  EXPECT_EQ(shrink(chain(4, false)), 74u);
}

TEST(Membership, SaysWhoWasLostAndWhy) {
  auto decision = withoutLost(chain(3, false), {{103, "silent"}, {101, "refused"}}, {102});
  EXPECT_EQ(std::get<Configuration>(decision).cause, "n1 lost: refused; n3 lost: silent");
}

TEST(Membership, NeverRemovesTheLastServingMember) {
  auto decision = withoutLost(chain(1, true), {{101, "refused"}}, {102});
  EXPECT_THAT(std::get<Unchanged>(decision).why, HasSubstr("never removed"));
}

TEST(Membership, KeepsTheChainWhileNobodyOfItIsHeard) {
  auto decision = withoutLost(chain(3, false), {{101, "refused"}}, {999});
  EXPECT_THAT(std::get<Unchanged>(decision).why, HasSubstr("heard"));
}

TEST(Membership, FormsFromEmptyNodesInNaturalOrder) {
  auto decision = form({}, {candidate(10), candidate(2), candidate(1)}, 3, 77);
  auto& formed = std::get<Configuration>(decision);
  EXPECT_THAT(names(formed), ElementsAre("n1", "n2", "n10"));
  EXPECT_EQ(validate({}, formed), std::nullopt);
}

// All sets of up to four candidates, each absent, empty, restored from a backup, or of a cluster.
TEST(Membership, FormsExactlyWhenEnoughCandidatesAreEmptyOrOneIsRestored) {
  for (unsigned replicas = 1; replicas <= 4; ++replicas) {
    for (unsigned kinds = 0; kinds < 256; ++kinds) {
      std::vector<Candidate> candidates;
      std::vector<std::string> fit;
      std::vector<std::string> restored;
      for (unsigned i = 0; i < 4; ++i) {
        unsigned kind = kinds >> (2 * i) & 3;
        auto name = "n" + std::to_string(i + 1);
        if (kind == 1) candidates.push_back(candidate(i + 1));
        if (kind == 2) candidates.push_back(candidate(i + 1, false));
        if (kind == 3) candidates.push_back(candidate(i + 1, true, 66));
        if (kind == 1) fit.push_back(name);
        if (kind == 2) restored.push_back(name);
      }
      std::reverse(candidates.begin(), candidates.end());
      auto decision = form({}, candidates, replicas, 77);
      auto* formed = std::get_if<Configuration>(&decision);
      bool expected = restored.empty() ? fit.size() >= replicas : restored.size() == 1;
      ASSERT_EQ(formed != nullptr, expected) << kinds;
      if (formed == nullptr) continue;
      if (fit.size() > replicas) fit.resize(replicas);
      EXPECT_EQ(names(*formed), restored.empty() ? fit : restored);
      EXPECT_EQ(formed->clusterId, 77u);
      EXPECT_EQ(validate({}, *formed), std::nullopt);
    }
  }
}

TEST(Membership, SaysWhyBackupsDoNotFormAChain) {
  auto decision = form({}, {candidate(2, false), candidate(1, false), candidate(3)}, 1, 77);
  EXPECT_THAT(std::get<Unchanged>(decision).why, HasSubstr("n1, n2 were each restored"));
  auto damaged = candidate(1, false);
  damaged.damage = "checksum";
  decision = form({}, {damaged, candidate(3)}, 1, 77);
  EXPECT_THAT(std::get<Unchanged>(decision).why, HasSubstr("what n1 restored is damaged"));
}

TEST(Membership, CountsANameOrAStoreOnce) {
  auto sameName = candidate(1);
  sameName.member.storeId = 300;
  sameName.member.incarnation = 301;
  auto sameStore = candidate(2);
  sameStore.member.storeId = candidate(1).member.storeId;
  auto decision = form({}, {candidate(1), sameName, sameStore}, 2, 77);
  EXPECT_THAT(std::get<Unchanged>(decision).why, HasSubstr("1 more empty node"));
}

TEST(Membership, FormsOnlyOnce) {
  auto decision = form(chain(1, false), {candidate(1), candidate(2)}, 2, 77);
  EXPECT_TRUE(std::holds_alternative<Unchanged>(decision));
}

TEST(Membership, TellsWhomANewProcessFollows) {
  auto old = member(1);
  EXPECT_EQ(succession(old, "n1", 101, 201), Succession::none);  // The node itself.
  EXPECT_EQ(succession(old, "n1", 901, 201), Succession::sameStore);
  EXPECT_EQ(succession(old, "x", 901, 201), Succession::sameStore);
  EXPECT_EQ(succession(old, "n1", 901, 902), Succession::sameName);
  EXPECT_EQ(succession(old, "n2", 901, 902), Succession::none);
}

TEST(Membership, OrdersNamesAsPeopleDo) {
  EXPECT_TRUE(naturalLess("n2", "n10"));
  EXPECT_FALSE(naturalLess("n10", "n2"));
  EXPECT_TRUE(naturalLess("a10b2", "a10b10"));
  EXPECT_TRUE(naturalLess("a", "a1"));
  EXPECT_TRUE(naturalLess("a1", "b"));
  EXPECT_FALSE(naturalLess("n1", "n1"));
  EXPECT_NE(naturalLess("n1", "n01"), naturalLess("n01", "n1"));
  EXPECT_TRUE(naturalLess("n99999999999999999999998", "n99999999999999999999999"));
}

// Candidates for a chain of one to four members, the last of them syncing or not: a stranger, each
// member itself, a successor on each member's store, and a namesake of each.
TEST(Membership, NamesAJoinerInAllSmallChains) {
  unsigned named = 0;
  for (unsigned serving = 1; serving <= 3; ++serving) {
    for (bool syncing: {false, true}) {
      auto before = chain(serving, syncing);
      std::vector<std::pair<Member, int>> joiners = {{member(9), -1}};
      for (unsigned i = 0; i < before.members.size(); ++i) {
        auto itself = before.members[i];
        auto successor = itself;
        successor.incarnation = 900;
        auto namesake = successor;
        namesake.storeId = 901;
        joiners.push_back({itself, -2});
        joiners.push_back({successor, static_cast<int>(i)});
        joiners.push_back({namesake, -2});
      }
      for (auto& [joiner, replaced]: joiners) {
        bool replacesJoiner = syncing && replaced == static_cast<int>(serving);
        bool allowed =
            replaced != -2 && (!syncing || replacesJoiner) && !(serving == 1 && replaced == 0);
        auto decision = withJoiner(before, joiner);
        auto* after = std::get_if<Configuration>(&decision);
        ASSERT_EQ(after != nullptr, allowed) << before.describe() << " " << replaced;
        if (after == nullptr) continue;
        ++named;
        EXPECT_EQ(validate(before, *after), std::nullopt);
        EXPECT_EQ(after->members.back().incarnation, joiner.incarnation);
        EXPECT_EQ(after->joiner(), &after->members.back());
        EXPECT_EQ(after->servingCount(), serving - (replaced >= 0 && !replacesJoiner ? 1 : 0));
        EXPECT_EQ(after->cause, joiner.name + " joins");
      }
    }
  }
  EXPECT_EQ(named, 1u + 3 + 4 + 3);
}

// Every gate that anybody could report, in any epoch and for anybody.
TEST(Membership, TakesOnlyTheGateOfTheVeryEpochTailAndJoiner) {
  unsigned taken = 0;
  for (unsigned serving = 1; serving <= 3; ++serving) {
    for (bool syncing: {false, true}) {
      auto before = chain(serving, syncing);
      for (std::uint64_t epoch: {4, 5, 6}) {
        for (std::uint64_t reporter = 100; reporter <= 105; ++reporter) {
          for (std::uint64_t joiner = 100; joiner <= 105; ++joiner) {
            auto decision = withJoined(before, epoch, reporter, joiner);
            auto* after = std::get_if<Configuration>(&decision);
            bool right =
                syncing && epoch == 5 && reporter == 100 + serving && joiner == 101 + serving;
            ASSERT_EQ(after != nullptr, right);
            if (after == nullptr) continue;
            ++taken;
            EXPECT_EQ(validate(before, *after), std::nullopt);
            EXPECT_EQ(names(*after), names(before));
            EXPECT_EQ(after->servingCount(), serving + 1);
            EXPECT_EQ(after->cause, "n" + std::to_string(serving + 1) + " has joined");
          }
        }
      }
    }
  }
  EXPECT_EQ(taken, 3u);
}

TEST(Membership, DrainsWhomeverTheOthersCanSpare) {
  for (unsigned serving = 1; serving <= 3; ++serving) {
    for (bool syncing: {false, true}) {
      auto before = chain(serving, syncing);
      for (unsigned heardBits = 0; heardBits < 1u << before.members.size(); ++heardBits) {
        std::set<std::uint64_t> heard;
        for (unsigned i = 0; i < before.members.size(); ++i) {
          if ((heardBits >> i & 1) != 0) heard.insert(before.members[i].incarnation);
        }
        for (unsigned i = 0; i < before.members.size(); ++i) {
          bool remains = false;
          for (unsigned j = 0; j < serving; ++j) {
            remains = remains || (j != i && (heardBits >> j & 1) != 0);
          }
          auto decision = withoutDrained(before, before.members[i].name, heard);
          auto* after = std::get_if<Configuration>(&decision);
          ASSERT_EQ(after != nullptr, remains);
          if (after == nullptr) continue;
          EXPECT_EQ(validate(before, *after), std::nullopt);
          EXPECT_EQ(after->members.size(), before.members.size() - 1);
          EXPECT_EQ(after->named(before.members[i].name), nullptr);
        }
        EXPECT_TRUE(std::holds_alternative<Unchanged>(withoutDrained(before, "x", heard)));
      }
    }
  }
}

// The validator is worth something only if it refuses.
TEST(Validator, RefusesWhatR3Forbids) {
  auto before = chain(3, false);
  auto good = before;
  good.epoch = 6;
  EXPECT_EQ(validate(before, good), std::nullopt);
  auto check = [&](auto change) {
    auto bad = good;
    change(bad);
    EXPECT_NE(validate(before, bad), std::nullopt);
  };
  check([](Configuration& c) { c.epoch = 5; });
  check([](Configuration& c) { c.epoch = 7; });
  check([](Configuration& c) { c.clusterId = 1; });
  check([](Configuration& c) { c.members.clear(); });
  check([](Configuration& c) { std::swap(c.members[0], c.members[1]); });
  check([](Configuration& c) { c.members.push_back(member(4)); });
  check([](Configuration& c) { c.members[0].incarnation = 500; });
  check([](Configuration& c) { c.members[0].storeId = 500; });
  check([](Configuration& c) { c.members[1] = c.members[0]; });
  check([](Configuration& c) { c.members[2].serving = false; });
  check([](Configuration& c) { c.members[0].serving = false; });
}

TEST(Validator, RefusesWhatR9AndR11Forbid) {
  auto before = chain(2, true);
  auto joined = before;
  joined.epoch = 6;
  joined.members[2].serving = true;
  EXPECT_EQ(validate(before, joined), std::nullopt);
  // This incarnation was not syncing in the epoch before.
  joined.members[2].incarnation = 500;
  EXPECT_NE(validate(before, joined), std::nullopt);
  auto grown = chain(3, false);
  grown.epoch = 6;
  EXPECT_NE(validate(chain(2, false), grown), std::nullopt);

  auto restarted = before;
  restarted.epoch = 6;
  restarted.members.resize(2);
  for (auto& each: restarted.members) each.incarnation += 500;
  std::swap(restarted.members[0], restarted.members[1]);
  EXPECT_EQ(validate(before, restarted), std::nullopt);
  auto check = [&](auto change) {
    auto bad = restarted;
    change(bad);
    EXPECT_NE(validate(before, bad), std::nullopt);
  };
  check([](Configuration& c) { c.members[1].storeId = 203; });  // It was only syncing.
  check([](Configuration& c) { c.members[1].storeId = 999; });
  check([](Configuration& c) { c.members[1].serving = false; });
  check([](Configuration& c) { c.members[1].incarnation = 101; });
  check([](Configuration& c) { c.cause = "recovered by an operator from n1 and n2"; });

  auto promoted = before;
  promoted.epoch = 6;
  promoted.members = {member(3)};  // It was syncing, and those that served are left out.
  EXPECT_NE(validate(before, promoted), std::nullopt);
}

}  // namespace
}  // namespace gavel::master
