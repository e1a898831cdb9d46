#include "master/dead-pairs.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gavel::master {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Graph = std::vector<std::vector<bool>>;

constexpr auto RETRY = 10 * kj::SECONDS;

// Calls `check` with all graphs of dead pairs between `count` nodes, and all sets of nodes that are
// heard.
template <typename Check>
void forAllGraphs(std::size_t count, Check check) {
  std::vector<std::pair<std::size_t, std::size_t>> edges;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = i + 1; j < count; ++j) edges.emplace_back(i, j);
  }
  for (unsigned graph = 0; graph < 1u << edges.size(); ++graph) {
    Graph dead(count, std::vector<bool>(count));
    for (std::size_t e = 0; e < edges.size(); ++e) {
      auto [i, j] = edges[e];
      dead[i][j] = dead[j][i] = (graph >> e & 1) != 0;
    }
    for (unsigned set = 0; set < 1u << count; ++set) {
      std::vector<bool> heard(count);
      for (std::size_t i = 0; i < count; ++i) heard[i] = (set >> i & 1) != 0;
      check(dead, heard);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

// The rule apart from the code, word by word: tries all sub-sequences.
std::vector<std::size_t> bySearch(const Graph& dead, const std::vector<bool>& heard) {
  auto count = heard.size();
  std::vector<std::size_t> best;
  auto degree = [&](std::size_t i) { return std::count(dead[i].begin(), dead[i].end(), true); };
  auto leftOut = [&](const std::vector<std::size_t>& kept) {
    long sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (std::find(kept.begin(), kept.end(), i) == kept.end()) sum += degree(i);
    }
    return sum;
  };
  for (unsigned set = 1; set < 1u << count; ++set) {
    std::vector<std::size_t> kept;
    bool anyHeard = false;
    bool works = true;
    for (std::size_t i = 0; i < count; ++i) {
      if ((set >> i & 1) == 0) continue;
      if (!kept.empty() && dead[kept.back()][i]) works = false;
      anyHeard = anyHeard || heard[i];
      kept.push_back(i);
    }
    if (!works || !anyHeard) continue;
    bool better = best.empty() || kept.size() > best.size();
    if (!better && kept.size() == best.size()) {
      auto a = leftOut(kept);
      auto b = leftOut(best);
      bool head = kept.front() == 0;
      bool bestHead = best.front() == 0;
      better =
          a > b || (a == b && head && !bestHead) || (a == b && head == bestHead && kept < best);
    }
    if (better) best = kept;
  }
  return best;
}

TEST(LongestWithout, IsTheRuleForAllGraphsUpToFiveNodes) {
  for (std::size_t count = 1; count <= 5; ++count) {
    forAllGraphs(count, [](const Graph& dead, const std::vector<bool>& heard) {
      EXPECT_EQ(longestWithout(dead, heard), bySearch(dead, heard));
    });
  }
}

// Whether some `length` nodes, in any order, form a chain whose neighbours can talk.
bool someChainCanTalk(const Graph& dead, std::size_t length) {
  std::vector<std::size_t> order(dead.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  do {
    bool works = true;
    for (std::size_t i = 0; i + 1 < length; ++i) works = works && !dead[order[i]][order[i + 1]];
    if (works) return true;
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

// Removing keeps the order.  A removed node joins at the end if the tail can talk to it.  The
// resulting chain can talk, and is as long as removing and joining can make it.  If any two nodes
// can talk, it has at least two.
TEST(LongestWithout, GoesOnWhereverSomeChainCanTalk) {
  for (std::size_t count = 2; count <= 5; ++count) {
    forAllGraphs(count, [count](const Graph& dead, const std::vector<bool>& heard) {
      if (std::find(heard.begin(), heard.end(), false) != heard.end()) return;
      auto chain = longestWithout(dead, heard);
      for (bool joined = true; joined;) {
        joined = false;
        for (std::size_t i = 0; i < count && !joined; ++i) {
          if (std::find(chain.begin(), chain.end(), i) != chain.end()) continue;
          if (dead[chain.back()][i]) continue;
          chain.push_back(i);
          joined = true;
        }
      }
      for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
        EXPECT_FALSE(dead[chain[i]][chain[i + 1]]);
      }
      std::size_t most = count;
      while (!someChainCanTalk(dead, most)) --most;
      EXPECT_LE(chain.size(), most);
      EXPECT_GE(chain.size(), std::min<std::size_t>(most, 2));
      // One dead pair costs at most the place at the tail.
      auto pairs = 0;
      for (auto& row: dead) pairs += static_cast<int>(std::count(row.begin(), row.end(), true));
      EXPECT_TRUE(pairs != 2 || count < 3 || chain.size() + 1 >= most);
    });
  }
}

TEST(LongestWithout, KeepsAMiddlingSizeCheap) {
  constexpr std::size_t COUNT = 64;
  Graph dead(COUNT, std::vector<bool>(COUNT));
  for (std::size_t i = 0; i + 1 < COUNT; i += 2) dead[i][i + 1] = dead[i + 1][i] = true;
  EXPECT_EQ(longestWithout(dead, std::vector<bool>(COUNT, true)).size(), COUNT / 2);
}

// -- configurations

class DeadPairsTest: public ::testing::Test {
protected:
  ~DeadPairsTest() noexcept override = default;

  kj::TimePoint now = kj::origin<kj::TimePoint>() + 1000 * kj::SECONDS;
  DeadPairs pairs{RETRY};

  static Member member(const std::string& name, bool serving = true) {
    Member result;
    result.name = name;
    result.incarnation = 100 + static_cast<std::uint64_t>(name.back() - '0');
    result.storeId = 200 + static_cast<std::uint64_t>(name.back() - '0');
    result.serving = serving;
    return result;
  }
  static Configuration chain(const std::vector<std::string>& serving,
                             const std::string& joiner = "") {
    Configuration configuration;
    configuration.clusterId = 1;
    configuration.epoch = 7;
    for (auto& name: serving) configuration.members.push_back(member(name));
    if (!joiner.empty()) configuration.members.push_back(member(joiner, false));
    return configuration;
  }
  std::string without(const Configuration& current) {
    std::set<std::uint64_t> heard;
    for (auto& each: current.members) heard.insert(each.incarnation);
    auto decision = withoutDeadPairs(current, pairs, heard, now);
    auto* next = std::get_if<Configuration>(&decision);
    if (next == nullptr) return std::get<Unchanged>(decision).why;
    EXPECT_EQ(next->epoch, current.epoch + 1);
    return next->describe() + " (" + next->cause + ")";
  }
  bool found(const std::string& a, const std::string& b) {
    return pairs.found(a, b, "a test", now, now);
  }
};

TEST_F(DeadPairsTest, TakesTheSecondOfThePairOut) {
  found("n1", "n2");
  EXPECT_EQ(without(chain({"n1", "n2", "n3"})),
            "n1 > n3 (n1 and n2 cannot talk to each other: n2 taken out)");
}

TEST_F(DeadPairsTest, TakesWhoCannotTalkToAnybodyOut) {
  found("n2", "n1");
  found("n2", "n3");
  EXPECT_EQ(without(chain({"n1", "n2", "n3"})),
            "n1 > n3 (n1 and n2, n2 and n3 cannot talk to each other: n2 taken out)");
}

TEST_F(DeadPairsTest, TakesTheHeadOutWhereItHasMoreDeadPairs) {
  found("n1", "n2");
  found("n1", "n4");
  EXPECT_EQ(without(chain({"n1", "n2", "n3", "n4"})),
            "n2 > n3 > n4 (n1 and n2 cannot talk to each other: n1 taken out)");
}

TEST_F(DeadPairsTest, KeepsTheJoinerWhereTheNewTailCanTalkToIt) {
  found("n2", "n3");
  EXPECT_THAT(without(chain({"n1", "n2", "n3"}, "n4")), HasSubstr("n1 > n2 > n4 (syncing) "));
  found("n2", "n4");
  EXPECT_THAT(without(chain({"n1", "n2", "n3"}, "n4")), HasSubstr("n1 > n2 ("));
}

TEST_F(DeadPairsTest, LeavesNoDeadPairWhereALossMakesNeighbours) {
  auto current = chain({"n1", "n2", "n3", "n4"}, "n5");
  auto after = [&](const std::string& lost) {
    std::set<std::uint64_t> heard;
    for (auto& each: current.members) {
      if (each.name != lost) heard.insert(each.incarnation);
    }
    auto decision = withoutLost(current, {{member(lost).incarnation, "refused"}}, heard);
    auto next = withoutNewDeadPairs(current, std::get<Configuration>(decision), pairs, heard, now);
    EXPECT_EQ(next.epoch, current.epoch + 1);
    return next.describe() + " (" + next.cause + ")";
  };
  found("n1", "n2");
  EXPECT_EQ(after("n3"), "n1 > n2 > n4 > n5 (syncing) (n3 lost: refused)")
      << "who are neighbours already may work: nothing is reported of them";
  found("n2", "n4");
  EXPECT_EQ(
      after("n3"),
      "n1 > n2 > n5 (syncing) (n3 lost: refused; n2 and n4 cannot talk to each other: n4 taken "
      "out)");
  EXPECT_EQ(after("n1"), "n2 > n3 > n4 > n5 (syncing) (n1 lost: refused)");
  found("n3", "n5");
  EXPECT_EQ(after("n4"),
            "n1 > n2 > n3 (n4 lost: refused; n3 and n5 cannot talk to each other: n5 taken out)");
}

// For all graphs, and all sets of nodes that are lost together, the remaining chain is the longest
// that can talk.
TEST_F(DeadPairsTest, ALossGoesOnWithTheLongestThatTalks) {
  constexpr std::size_t COUNT = 4;
  auto current = chain({"n1", "n2", "n3", "n4"});
  forAllGraphs(COUNT, [&](const Graph& dead, const std::vector<bool>& stays) {
    DeadPairs found(RETRY);
    Graph rest;  // Of the pairs that stay and were no neighbours.
    std::vector<std::size_t> left;
    std::vector<Loss> losses;
    std::set<std::uint64_t> heard;
    for (std::size_t i = 0; i < COUNT; ++i) {
      for (std::size_t j = i + 1; j < COUNT; ++j) {
        if (!dead[i][j]) continue;
        found.found(current.members[i].name, current.members[j].name, "a test", now, now);
      }
      auto incarnation = current.members[i].incarnation;
      if (!stays[i]) {
        losses.push_back({incarnation, "refused"});
        continue;
      }
      heard.insert(incarnation);
      left.push_back(i);
    }
    auto decision = withoutLost(current, losses, heard);
    auto* next = std::get_if<Configuration>(&decision);
    if (next == nullptr) return;
    for (auto i: left) {
      rest.emplace_back();
      for (auto j: left) rest.back().push_back(dead[i][j] && i + 1 != j && j + 1 != i);
    }
    std::string wanted;
    for (auto kept: bySearch(rest, std::vector<bool>(left.size(), true))) {
      wanted += (wanted.empty() ? "" : " > ") + current.members[left[kept]].name;
    }
    EXPECT_EQ(withoutNewDeadPairs(current, *next, found, heard, now).describe(), wanted);
  });
}

TEST_F(DeadPairsTest, LeavesAChainAloneWhoseNeighboursCanTalk) {
  found("n1", "n3");
  EXPECT_EQ(without(chain({"n1", "n2", "n3"})), "all neighbours can talk to each other");
}

TEST_F(DeadPairsTest, IsTriedAgainLaterEachTime) {
  EXPECT_TRUE(found("n1", "n2"));
  auto wait = RETRY;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(pairs.areDead("n2", "n1", now + wait - 1 * kj::MILLISECONDS));
    EXPECT_FALSE(found("n1", "n2")) << "known";
    now += wait;
    EXPECT_FALSE(pairs.areDead("n1", "n2", now));
    EXPECT_TRUE(found("n2", "n1")) << "tried, and dead still";
    wait = kj::min(2 * wait, 60 * RETRY);
  }
  EXPECT_EQ(wait, 10 * kj::MINUTES);
}

TEST_F(DeadPairsTest, IsForgottenWhenALinkHasWorkedForLong) {
  found("n1", "n2");
  now += RETRY;
  pairs.linked({DeadPairs::pairOf("n2", "n1")}, now);
  now += RETRY / 2;
  pairs.linked({}, now);  // The time is interrupted.
  pairs.linked({DeadPairs::pairOf("n1", "n2")}, now);
  now += RETRY - 1 * kj::MILLISECONDS;
  pairs.linked({DeadPairs::pairOf("n1", "n2")}, now);
  EXPECT_EQ(pairs.all().size(), 1u);
  now += 1 * kj::MILLISECONDS;
  pairs.linked({DeadPairs::pairOf("n1", "n2")}, now);
  EXPECT_THAT(pairs.all(), IsEmpty());
}

TEST_F(DeadPairsTest, IsForgottenWhenAnOperatorVouches) {
  found("n1", "n2");
  found("n2", "n3");
  found("n3", "n4");
  pairs.reset("n2");
  EXPECT_EQ(pairs.all().size(), 1u);
}

}  // namespace
}  // namespace gavel::master
