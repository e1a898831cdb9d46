#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/cluster.h"

namespace gavel::simulation {

// What must hold at every moment of a run, looked at after each event of a process and each change
// of the configuration; apart from what the bidders were told, which a history tells.
//
// - Configurations: each follows from the one before by the rules (R2, R3, R9, R11); no node acts
//   in one that is not stored; the same epoch is the same configuration everywhere (R1).
// - The committed log is one: what a node takes for committed agrees with every other node, to the
//   end of time; every serving member of the stored configuration has it on disk, or had when its
//   process ended, and somebody has (R4, R5, R9, R11).
// - The log of a serving member is a prefix of its predecessor's (R4).
// - A serving node's commit index never goes back.
// - At equal index, states are equal.
// - The head stamps by the true time, within the skew that the master allows, or at the rate of the
//   true time where chain time is ahead of it; and it never leaps further than it may unless an
//   operator has accepted that, whatever is wrong with clocks (R15).
// - Members are taken apart for a link only where something is amiss between the two, and both are
//   there; no joiner is let in that the tail has long said it cannot talk to (R6).
// - What a node calls committed, for times after it, is (R11).
// - Where fewer members serve than have to, success is told only of what as many disks hold (R18).
// - Nobody dies by himself but for a fault of his disk (R12).
class Checks final {
public:
  explicit Checks(Cluster& cluster);
  KJ_DISALLOW_COPY(Checks);

  // The first that was broken; empty: all holds.
  const std::string& failure() const { return failure_; }
  void fail(std::string text);

  // Hooks of the engine and the store of configurations.
  void turned(Process& process);
  void ended(Process& process, bool clocksOff);
  void changed(const master::Document& before, const master::Document& after);
  // The same of the store that was lost: nothing of that may come into force once it is made anew.
  void changedInLost(const master::Document& before, const master::Document& after);
  // The current process, a master, is about to take members apart that cannot talk to each other.
  void takingApart();

  // An operator's order has given up what follows `end`: it is no promise any more.
  void gaveUp(const Position& end);
  // Whether something was given up: bidders were told of what is not there any more.
  bool lossy() const { return lossy_; }

  // Whether all members act in the stored configuration and have applied the same log to its end.
  bool allApplied() const;
  // How long, in true time, until the last auction that is open now has to be over.
  Time longestAuction() const;
  bool anyOpen() const;
  // Once that is so: their states are equal.
  void checkEqual();

  // For people: what happened.
  std::map<std::string, std::uint64_t> counts;

private:
  // What was seen of a process.
  struct Seen {
    std::uint64_t incarnation = 0;
    std::uint64_t epoch = 0;
    bool acting = false;
    Position end;
    std::uint64_t commit = 0;
    std::uint64_t servingCommit = 0;
    std::uint64_t hashed = 0;
    // The last entry that it has given, and when.
    std::uint64_t stampedIn = 0;  // Epoch.
    auction::Stamp stamp = 0;
    std::int64_t stampedAt = 0;
    std::uint64_t assured = 0;
    Bound bound;
  };

  // The end of a batch that some node has taken for committed.
  struct Committed {
    Position end;
    bool gap;  // There may be others between the one before and this one.
  };

  Cluster& cluster;
  std::string failure_;
  std::map<std::uint32_t, Seen> seen;             // By process.
  std::map<std::uint64_t, Configuration> stored;  // By epoch.
  std::set<std::uint64_t> overdue;   // Epochs that were stored in the lost store once it was over.
  std::vector<Committed> committed;  // By index.
  std::map<std::uint64_t, std::array<std::uint8_t, 32>> hashes;  // Of committed state, by index.

  // The highest stamp that was given so far, and when.
  auction::Stamp highestStamp = 0;
  std::int64_t highestStampAt = 0;
  // By how much clocks of masters were off, at the most: they let in whoever is as wrong.
  std::int64_t mastersAhead = 0;
  std::int64_t mastersBefore = 0;
  std::map<std::uint64_t, Time> gone;  // When the process with that incarnation ended.
  bool lossy_ = false;

  void rebuilt(const Configuration& next);
  void checkGate(const Configuration& before, const Configuration& after);
  void checkEpoch(const std::string& name, const Configuration& configuration);
  void checkCommit(NodeMachine& machine, std::uint64_t before, std::uint64_t now);
  // `previous` is null where the batch is not in the log any more.
  void checkCommitted(NodeMachine& machine, const Position& end, const Position* previous);
  void checkHolders(const Configuration& configuration);
  void checkAssured(NodeMachine& machine, const chain::Replica& replica);
  void checkBound(NodeMachine& machine, const Bound& bound);
  void checkPrefix(NodeMachine& machine, const chain::Replica& replica);
  void checkStamp(NodeMachine& machine, const chain::Replica& replica, Seen& seen);
  void checkLeap(NodeMachine& machine, auction::Stamp stamp, std::int64_t now);
  void checkHash(NodeMachine& machine, const chain::Replica& replica, Seen& seen);
  std::uint64_t highest() const { return committed.empty() ? 0 : committed.back().end.index; }
};

}  // namespace gavel::simulation
