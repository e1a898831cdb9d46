#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "log/bound.h"
#include "topology/configuration.h"

// Which configuration follows which: the rules R2, R3 and R9 as pure functions.  No clock, I/O or
// promises; the caller adds the stamp, and stores the result before it tells anybody.
//
// After a total outage other rules apply: see outage.h.
namespace gavel::master {

// A node that could become a member, by what it says of itself.
struct Candidate {
  Member member;
  std::uint64_t clusterId = 0;  // 0: belongs to none.
  bool empty = false;           // Holds no entries.
  std::uint64_t generation = 0;
  std::uint64_t last = 0;  // Log end.
  Position end = {};       // Likewise, in full.
  Bound bound = {};        // What it knows to be committed.
  bool stored = true;      // All of its log is on its disk.
  std::string damage;      // What is wrong with what it found on its disk; empty: nothing.
  bool unsynced = false;   // What it calls durable may not be.
  // It has promised another master, whose store is being made anew, to adopt nothing below this
  // epoch, and has not adopted that either (R3).  0: it has not.
  std::uint64_t promised = 0;

  // Restored from a backup: has a state to found a cluster with, and belongs to none yet.
  bool restored() const { return clusterId == 0 && !empty; }
};

// A member that is believed to run no longer, and why, for people: "connection closed, then
// refused".
struct Loss {
  std::uint64_t incarnation = 0;
  std::string cause;
};

// The members among `heard` whose disks hang, as losses: nothing is committed any more while one of
// them serves (R12).  None of them if that leaves no serving member that is heard and not lost
// already, as when all disks hang together.
std::vector<Loss> lossesByHanging(const Configuration& current, const std::vector<Loss>& losses,
                                  const std::set<std::uint64_t>& heard,
                                  const std::set<std::uint64_t>& hanging);

// Why things stay as they are, for people.
struct Unchanged {
  std::string why;
};

using Decision = std::variant<Configuration, Unchanged>;

// The first configuration, once there are `replicas` candidates which are empty and belong to no
// cluster.  By name in natural order, so that n1 becomes the head and n10 follows n9.
//
// A node that was restored from a backup founds the chain alone and at once, as nobody else holds
// what it holds; the others join it (R9).  With two of those it is for the operator to say which.
//
// REQUIRES: `clusterId` and `replicas` are not 0.
Decision form(const Configuration& current, const std::vector<Candidate>& candidates,
              unsigned replicas, std::uint64_t clusterId);

// `current` without the members in `losses`, all at once.  Others keep their order and state.
//
// `heard` are the incarnations that the master hears now.  Unless one of them goes on serving,
// nothing changes: with nobody left, the last serving member must not be removed (R3), and a master
// which hears nobody has to suspect itself rather than all of them.
Decision withoutLost(const Configuration& current, const std::vector<Loss>& losses,
                     const std::set<std::uint64_t>& heard);

// `current` with `joiner` as syncing member, behind all others (R9).  What it finds on its disk may
// be anything: it serves only once it has synced.  An old incarnation on the same store goes with
// this step (R2), unless nobody would be left to serve.
Decision withJoiner(const Configuration& current, const Member& joiner);

// `current` in which the syncing member serves, after `reporter` has told that it gates `joiner` in
// `epoch` (R9c).  Nothing changes unless that is the very epoch, its tail and its syncing member:
// what a tail promised in another epoch, or for another incarnation, binds nobody in this one.
Decision withJoined(const Configuration& current, std::uint64_t epoch, std::uint64_t reporter,
                    std::uint64_t joiner);

// `current` without the member called `name`, on an operator's order.  As with a loss, somebody who
// is heard has to go on serving.
Decision withoutDrained(const Configuration& current, std::string_view name,
                        const std::set<std::uint64_t>& heard);

// How a newly started process relates to a member.
enum class Succession : std::uint8_t {
  none,
  // It has the member's data directory, which one process at a time can open: the member is gone
  // (R2).
  sameStore,
  // It only has the member's name, with another data directory.
  sameName,
};

Succession succession(const Member& member, std::string_view name, std::uint64_t incarnation,
                      std::uint64_t storeId);

// "n1, n2, n3", for people.
std::string listNames(const std::vector<std::string>& names);

// Order for people: n2 before n10.
bool naturalLess(std::string_view left, std::string_view right);

}  // namespace gavel::master
