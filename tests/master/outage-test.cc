#include "master/outage.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <unordered_set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/joining.h"
#include "tests/master/validate.h"

namespace gavel::master {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t CLUSTER = 77;

Member member(unsigned number, bool serving = true) {
  return {"n" + std::to_string(number), "host:" + std::to_string(7400 + number), 100 + number,
          200 + number, serving};
}

Configuration chain(unsigned serving, bool syncing) {
  Configuration configuration{CLUSTER, 5, {}, 0, "test"};
  for (unsigned i = 1; i <= serving; ++i) configuration.members.push_back(member(i));
  if (syncing) configuration.members.push_back(member(serving + 1, false));
  return configuration;
}

// n1 and so on, restarted with its log up to `last`.
Returned returned(unsigned number, std::uint64_t last = 10) {
  Returned result;
  result.candidate.member = member(number);
  result.candidate.member.incarnation += 500;
  result.candidate.clusterId = CLUSTER;
  result.candidate.last = last;
  result.candidate.end = {5, last, last};
  result.oldEnded = true;
  return result;
}

std::string describe(const Decision& decision) {
  auto* next = std::get_if<Configuration>(&decision);
  return next == nullptr ? "" : next->describe();
}

// The fate of a data directory.
enum Fate { gone, back, shorter, damaged, unsynced, olderCopy, undead, foreign, FATES };

// Every fate of every member of every small chain, and of a stranger.  The sources are exactly
// those that have to be.
TEST(Outage, GoesOnFromExactlyTheSoundStoresOfServingMembers) {
  unsigned going = 0;
  for (unsigned serving = 1; serving <= 3; ++serving) {
    for (bool syncing: {false, true}) {
      auto before = chain(serving, syncing);
      unsigned all = 1;
      for (unsigned i = 0; i < before.members.size(); ++i) all *= FATES;
      for (unsigned fates = 0; fates < all; ++fates) {
        std::vector<Returned> there = {returned(9, 1000)};
        std::map<std::uint64_t, Told> told;
        std::vector<std::string> full;
        std::vector<std::string> cut;
        unsigned missing = 0;
        for (unsigned i = 0, rest = fates; i < before.members.size(); ++i, rest /= FATES) {
          auto fate = static_cast<Fate>(rest % FATES);
          auto each = returned(i + 1, fate == shorter ? 9 : 10);
          if (fate == damaged) each.candidate.damage = "checksum";
          if (fate == unsynced) each.candidate.unsynced = true;
          if (fate == olderCopy) told[101 + i].durable = 11;
          if (fate == undead) each.oldEnded = false;
          if (fate == foreign) each.candidate.clusterId = 66;
          if (fate != gone) there.push_back(each);
          if (i >= serving) continue;
          if (fate == gone) ++missing;
          if (fate == back) full.push_back("n" + std::to_string(i + 1));
          if (fate == shorter) cut.push_back("n" + std::to_string(i + 1));
        }
        full.insert(full.end(), cut.begin(), cut.end());
        std::reverse(there.begin(), there.end());

        auto outage = assess(before, there, told);
        EXPECT_EQ(outage.awaited.size(), missing);
        EXPECT_EQ(outage.sources.size() + outage.unfit.size(), there.size());
        auto decision = restarted(before, outage);
        auto* after = std::get_if<Configuration>(&decision);
        ASSERT_EQ(after != nullptr, !full.empty());
        if (after == nullptr) continue;
        ++going;
        ASSERT_EQ(validate(before, *after), std::nullopt);
        std::vector<std::string> names;
        for (auto& each: after->members) names.push_back(each.name);
        ASSERT_EQ(names, full);
        EXPECT_EQ(after->cause, "restarted after a total outage: " + listNames(full));
      }
    }
  }
  EXPECT_EQ(going, 9u * (8 - 6) + 9 * (64 - 36) + 9 * (512 - 216));
}

TEST(Outage, OrdersByLengthOfLog) {
  auto before = chain(3, false);
  auto outage = assess(before, {returned(1, 5), returned(2, 7), returned(3, 5)}, {});
  EXPECT_EQ(describe(restarted(before, outage)), "n2 > n1 > n3");
  EXPECT_TRUE(outage.complete());
}

TEST(Outage, NeedsEverythingThatWasCommitted) {
  auto before = chain(2, false);
  std::map<std::uint64_t, Told> told;
  told[101].commit = 8;  // n1 knew that n2 has 8.
  auto outage = assess(before, {returned(2, 7)}, told);
  EXPECT_TRUE(outage.sources.empty());
  ASSERT_EQ(outage.unfit.size(), 1u);
  EXPECT_THAT(outage.unfit[0].why, HasSubstr("its log ends at 7, but 8 was on its disk"));
  EXPECT_EQ(assess(before, {returned(2, 8)}, told).sources.size(), 1u);
}

TEST(Outage, DoesNotTrustADiskThatWasNotSyncedBefore) {
  std::map<std::uint64_t, Told> told;
  told[101].unsynced = true;
  auto outage = assess(chain(1, false), {returned(1)}, told);
  EXPECT_TRUE(outage.sources.empty());
  EXPECT_THAT(outage.unfit[0].why, HasSubstr("--sync=never"));
}

// The power failed right after the chain had formed.
TEST(Outage, TakesMembersThatNeverKnew) {
  auto node = returned(1, 0);
  node.candidate.clusterId = 0;
  node.candidate.empty = true;
  EXPECT_EQ(assess(chain(1, false), {node}, {}).sources.size(), 1u);
}

TEST(Outage, SaysWhomItAwaitsAndWhoCannotBeTheSource) {
  auto before = chain(3, true);
  auto bad = returned(2);
  bad.candidate.damage = "log batch 17: checksum";
  auto outage = assess(before, {bad, returned(4), returned(9)}, {});
  auto text = describe(before, outage);
  EXPECT_THAT(text, HasSubstr("no serving member of epoch 5 runs"));
  EXPECT_THAT(text, HasSubstr("Awaited: n1 (host:7401), n3 (host:7403)"));
  EXPECT_THAT(text, HasSubstr("n2 (damaged: log batch 17: checksum)"));
  EXPECT_THAT(text, HasSubstr("n4 (it was not serving in epoch 5)"));
  EXPECT_THAT(text, HasSubstr("n9 (it was not serving in epoch 5)"));
  EXPECT_THAT(text, HasSubstr("`gavel chain recover NODE`"));
  text = describe(before, assess(before, {returned(1)}, {}));
  EXPECT_THAT(text, HasSubstr("Ready to go on: n1."));
  EXPECT_THAT(text, Not(HasSubstr("recover")));
}

TEST(Outage, RecoversFromOneNodeAndSaysWhatIsLost) {
  auto before = chain(3, true);
  auto next = recovered(before, returned(2).candidate);
  EXPECT_EQ(validate(before, next), std::nullopt);
  EXPECT_EQ(next.cause,
            "recovered by an operator from n2 alone: entries that only n1, n3 had are lost");
  auto stranger = recovered(before, returned(9).candidate);
  EXPECT_EQ(validate(before, stranger), std::nullopt);
  EXPECT_EQ(lostWith(before, returned(9).candidate.member).size(), 3u);
  auto alone = recovered(chain(1, false), returned(1).candidate);
  EXPECT_THAT(alone.cause, HasSubstr("that its disk has lost"));
}

// Three data directories, and everything that can happen to them, in any order.  Processes crash
// and restart, members are taken for lost though they live, nodes join, entries are committed, and
// the chain restarts from what is there.  The walk ends when nothing new turns up, with bounds on
// restarts and commits.
//
// Commits follow the nodes' rule.  They take every serving member of some stored configuration, if
// the processes of all are alive and do not know a later one, and the joiner that is gated there.
class Walk {
public:
  unsigned states = 0;
  unsigned outages = 0;
  unsigned joins = 0;

  // Walks from a chain of `serving` on, with `stores` data directories in all.
  void run(unsigned stores, unsigned serving, std::size_t epochs, unsigned commits) {
    storeCount = stores;
    maxEpoch = epochs;
    maxCommits = commits;
    State start;
    start.history.push_back({CLUSTER, 1, {}, 0, "formed"});
    for (unsigned i = 0; i < serving; ++i) start.history[0].members.push_back(node(i, 1));
    for (auto& store: start.stores) store.incarnation = 1;
    explore(start);
    std::printf("%u states, %u restarts of the chain, %u joins\n", states, outages, joins);
  }

private:
  static constexpr unsigned STORES = 3;
  static constexpr unsigned MAX_STARTS = 2;

  unsigned storeCount = 0;
  std::size_t maxEpoch = 0;
  unsigned maxCommits = 0;

  struct Store {
    unsigned incarnation = 0;  // 0: it never ran.
    bool alive = true;
    unsigned log = 0;
    std::size_t epoch = 1;  // Of the configuration in which its process acts.
    auto operator<=>(const Store&) const = default;
  };
  struct State {
    std::vector<Configuration> history;
    Store stores[STORES];
    unsigned committed = 0;
    unsigned gated = 0;  // A bit for each epoch in which the tail gates.

    bool gates(std::size_t epoch) const { return (gated >> epoch & 1) != 0; }
  };

  static Member node(unsigned store, unsigned incarnation, bool serving = true) {
    return {"n" + std::to_string(store), "a:1", 10 * store + incarnation, store + 1, serving};
  }

  std::unordered_set<std::string> seen;

  static bool runs(const State& state, const Member& member) {
    auto& store = state.stores[member.storeId - 1];
    return store.alive &&
           node(member.storeId - 1, store.incarnation).incarnation == member.incarnation;
  }

  // Everything that distinguishes states, a byte each.
  static std::string keyOf(const State& state) {
    std::string key;
    auto add = [&key](std::size_t value) { key += static_cast<char>(value); };
    for (auto& each: state.history) {
      for (auto& member: each.members) {
        add(member.incarnation * 2 + (member.serving ? 1 : 0));
      }
      add(0);
    }
    for (auto& store: state.stores) {
      add(store.incarnation * 2 + (store.alive ? 1 : 0));
      add(store.log);
      add(store.epoch);
    }
    add(state.committed);
    add(state.gated);
    return key;
  }

  static std::string describe(const State& state) {
    std::string text;
    for (auto& each: state.history) text += each.describe() + " (" + each.cause + ") / ";
    return text;
  }

  // Takes a decision of the master, if there is one.
  void decide(const State& from, const Decision& decision) {
    auto* next = std::get_if<Configuration>(&decision);
    if (next == nullptr || from.history.size() >= maxEpoch) return;
    ASSERT_EQ(validate(from.history.back(), *next), std::nullopt)
        << from.history.back().describe() << " -> " << next->describe();
    State to = from;
    to.history.push_back(*next);
    explore(to);
  }

  void explore(const State& state) {
    if (::testing::Test::HasFatalFailure() || !seen.insert(keyOf(state)).second) return;
    ++states;
    auto& current = state.history.back();
    for (auto& member: current.members) {
      if (!member.serving) continue;
      ASSERT_GE(state.stores[member.storeId - 1].log, state.committed)
          << member.name << " serves without what was acknowledged: " << describe(state);
    }
    processes(state);
    commits(state);
    gates(state);
    losses(state);
    outage(state);
    std::vector<Newcomer> newcomers;
    for (unsigned i = 0; i < storeCount; ++i) {
      if (!state.stores[i].alive) continue;
      Newcomer newcomer;
      newcomer.candidate.member = node(i, state.stores[i].incarnation);
      newcomer.candidate.clusterId = CLUSTER;
      newcomer.heard = true;
      decide(state, join(current, {newcomer}, 3));
    }
  }

  // One process ends, begins, or learns the newest configuration.
  void processes(const State& state) {
    for (unsigned i = 0; i < storeCount; ++i) {
      auto& store = state.stores[i];
      State to = state;
      if (store.alive) {
        to.stores[i].alive = false;
        explore(to);
        to = state;
        to.stores[i].epoch = state.history.size();
        // A joiner drops what is not shared: here, everything that was not committed.
        auto* member = state.history.back().find(node(i, store.incarnation).incarnation);
        if (member != nullptr && !member->serving) {
          to.stores[i].log = std::min(store.log, state.committed);
        }
        explore(to);
      } else if (store.incarnation < MAX_STARTS) {
        to.stores[i].alive = true;
        ++to.stores[i].incarnation;
        to.stores[i].epoch = 0;
        explore(to);
      }
    }
  }

  void commits(const State& state) {
    if (state.committed >= maxCommits) return;
    for (std::size_t epoch = 1; epoch <= state.history.size(); ++epoch) {
      auto& chain = state.history[epoch - 1];
      State to = state;
      ++to.committed;
      bool can = true;
      for (auto& member: chain.members) {
        bool counts = member.serving || state.gates(epoch);
        if (!counts) continue;
        auto& store = to.stores[member.storeId - 1];
        can = can && runs(state, member) && store.epoch == epoch;
        store.log = to.committed;
      }
      if (can) explore(to);
    }
  }

  void gates(const State& state) {
    auto& current = state.history.back();
    auto* joiner = current.joiner();
    auto* tail = current.tail();
    if (joiner == nullptr) return;
    bool ready = runs(state, *joiner) && runs(state, *tail) &&
                 state.stores[joiner->storeId - 1].epoch == current.epoch &&
                 state.stores[tail->storeId - 1].epoch == current.epoch;
    if (ready && !state.gates(current.epoch)) {
      State to = state;
      to.gated |= 1u << current.epoch;
      to.stores[joiner->storeId - 1].log = state.stores[tail->storeId - 1].log;
      explore(to);
    }
    // Gates of all epochs may be reported late; only this one's counts.
    for (std::size_t epoch = 1; epoch <= current.epoch; ++epoch) {
      if (!state.gates(epoch)) continue;
      if (epoch == current.epoch) ++joins;
      decide(state, withJoined(current, epoch, tail->incarnation, joiner->incarnation));
    }
  }

  // Any members are taken for lost, rightly or wrongly.
  void losses(const State& state) {
    auto& current = state.history.back();
    for (unsigned bits = 1; bits < 1u << current.members.size(); ++bits) {
      std::vector<Loss> losses;
      std::set<std::uint64_t> heard;
      for (unsigned i = 0; i < current.members.size(); ++i) {
        auto& member = current.members[i];
        if ((bits >> i & 1) != 0) losses.push_back({member.incarnation, "test"});
        if (runs(state, member)) heard.insert(member.incarnation);
      }
      decide(state, withoutLost(current, losses, heard));
    }
  }

  // All serving members are lost; that may be wrong for those that were not restarted.
  void outage(const State& state) {
    auto& current = state.history.back();
    std::vector<Returned> returned;
    for (unsigned i = 0; i < storeCount; ++i) {
      auto& store = state.stores[i];
      if (!store.alive || current.contains(node(i, store.incarnation).incarnation)) continue;
      Returned each;
      each.candidate.member = node(i, store.incarnation);
      each.candidate.clusterId = CLUSTER;
      each.candidate.last = store.log;
      each.oldEnded = true;
      returned.push_back(each);
    }
    auto found = assess(current, returned, {});
    if (!found.sources.empty()) ++outages;
    decide(state, restarted(current, found));
  }
};

// A spare joins, and everything happens to both.
TEST(Outage, LosesNothingThatTwoNodesHaveInAnyOrderOfEvents) {
  Walk walk;
  walk.run(2, 1, 5, 2);
  EXPECT_GT(walk.states, 1'000u);
  EXPECT_GT(walk.outages, 100u);
  EXPECT_GT(walk.joins, 100u);
}

TEST(Outage, LosesNothingThatThreeNodesHaveInAnyOrderOfEvents) {
  Walk walk;
  walk.run(3, 2, 3, 1);
  EXPECT_GT(walk.states, 1'000u);
  EXPECT_GT(walk.outages, 100u);
  EXPECT_GT(walk.joins, 10u);
}

}  // namespace
}  // namespace gavel::master
