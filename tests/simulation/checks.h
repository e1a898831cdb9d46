#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/cluster.h"

namespace gavel::simulation {

// What must hold at every moment of a run.  It is checked after each event of a process and each
// change of the configuration.  The answers to bidders are checked by their history.
//
// - Configurations: each follows from the one before by the rules (R2, R3, R9, R11).  No node acts
//   in one that is not stored.  The same epoch is the same configuration everywhere (R1).
// - The committed log is one: what a node takes for committed agrees with every other node, for
//   ever.  Every serving member of the stored configuration has it on disk, or had it when its
//   process ended, and at least one has it now (R4, R5, R9, R11).
// - The log of a serving member is a prefix of its predecessor's (R4).
// - A serving node's commit index never goes back.
// - At equal index, states are equal.
// - The head stamps by the true time, within the skew that the master allows, or at the rate of the
//   true time if chain time is ahead of it.  It never leaps further than it may unless an operator
//   has accepted that, however wrong clocks are (R15).
// - Members are taken apart for a link only if something is wrong between the two, and both live.
//   No joiner is let in if the tail has reported for long that it cannot talk to it (R6).
// - What a node notes as committed is committed (R11).
// - If fewer members serve than have to, success is reported only of what as many disks hold (R18).
// - No process ends by itself except for a fault of its disk (R12).
class Checks final {
public:
  explicit Checks(Cluster& cluster);
  KJ_DISALLOW_COPY(Checks);

  // The first check that failed; empty: all hold.
  const std::string& failure() const { return failure_; }
  void fail(std::string text);

  // Hooks of the engine and the store of configurations.
  void turned(Process& process);
  void ended(Process& process, bool clocksOff);
  void changed(const master::Document& before, const master::Document& after);
  // The same for the store that was lost: once it is made anew, nothing of the lost one may come
  // into force.
  void changedInLost(const master::Document& before, const master::Document& after);
  // The current process, a master, is about to take members apart that cannot talk to each other.
  void takingApart();

  // An operator's order has given up what follows `end`, which is promised no more.
  void gaveUp(const Configuration& next);
  // Whether something was given up.  Bidders then know of something that is not there any more.
  bool lossy() const { return lossy_; }

  // Whether all members act in the stored configuration and have applied the same log to its end.
  bool allApplied() const;
  // How long, in true time, until the last auction that is open now has to be over.
  Time longestAuction() const;
  bool anyOpen() const;
  // Once allApplied(): checks that the states are equal.
  void checkEqual();

  // Counts of events, for people.
  std::map<std::string, std::uint64_t> counts;

private:
  // What is known of a process.
  struct Seen {
    std::uint64_t incarnation = 0;
    std::uint64_t epoch = 0;
    bool acting = false;
    Position end;
    std::uint64_t commit = 0;
    std::uint64_t servingCommit = 0;
    std::uint64_t hashed = 0;
    // The last entry to which it has given a stamp, and when.
    std::uint64_t stampedIn = 0;  // Epoch.
    auction::Stamp stamp = 0;
    std::int64_t stampedAt = 0;
    std::uint64_t assured = 0;
    Bound bound;
  };

  // The end of a batch that some node has taken for committed.
  struct Committed {
    Position end;
    bool gap;  // There may be others between the previous one and this one.
  };

  Cluster& cluster;
  std::string failure_;
  std::map<std::uint32_t, Seen> seen;             // By process.
  std::map<std::uint64_t, Configuration> stored;  // By epoch.
  std::set<std::uint64_t> overdue;   // Epochs that were stored in the lost store once it was over.
  std::vector<Committed> committed;  // By index.
  std::map<std::uint64_t, std::array<std::uint8_t, 32>> hashes;  // Of committed state, by index.

  // The highest stamp given so far, and when.
  auction::Stamp highestStamp = 0;
  std::int64_t highestStampAt = 0;
  // The most by which clocks of masters were ahead: they let nodes in that are as wrong.
  std::int64_t mastersAhead = 0;
  std::int64_t mastersBefore = 0;
  std::map<std::uint64_t, Time> gone;  // When the process with that incarnation ended.
  bool lossy_ = false;

  void rebuilt(const Configuration& next);
  void checkGate(const Configuration& before, const Configuration& after);
  void checkEpoch(const std::string& name, const Configuration& configuration);
  void checkCommit(NodeMachine& machine, std::uint64_t before, std::uint64_t now);
  // `previous` is null if the batch is not in the log any more.
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
