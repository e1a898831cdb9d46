#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "log/bound.h"
#include "topology/configuration.h"

// Which configuration may follow which: the rules R2, R3 and R9 as pure functions.  No clock, I/O
// or promises; the caller adds the stamp, and stores the result before it announces it.
//
// After a total outage other rules apply: see outage.h.
namespace gavel::master {

// A node that could become a member, as it describes itself.
struct Candidate {
  Member member;
  std::uint64_t clusterId = 0;  // 0: it belongs to no cluster.
  bool empty = false;           // It holds no entries.
  std::uint64_t generation = 0;
  std::uint64_t last = 0;  // Index of its log's end.
  Position end = {};       // Its log's end.
  Bound bound = {};        // What it knows to be committed.
  bool stored = true;      // All of its log is on its disk.
  std::string damage;      // What is wrong with what it found on its disk; empty: nothing.
  bool unsynced = false;   // What it calls durable may not be durable: --sync=never.
  // It has promised a master that is being rebuilt to adopt nothing below this epoch, and has not
  // adopted this epoch yet (R3).  0: there is no such promise.
  std::uint64_t promised = 0;

  // Whether it was restored from a backup: it has a state to found a cluster with, and belongs to
  // no cluster yet.
  bool restored() const { return clusterId == 0 && !empty; }
};

// A member that is believed to have ended, and why, for people: "connection closed, then refused".
struct Loss {
  std::uint64_t incarnation = 0;
  std::string cause;
};

// Returns the members in `heard` whose disks hang, as losses: nothing is committed while one of
// them serves (R12).  Returns none if no serving member would remain that is heard and not in
// `losses`, as when all disks hang together.
std::vector<Loss> lossesByHanging(const Configuration& current, const std::vector<Loss>& losses,
                                  const std::set<std::uint64_t>& heard,
                                  const std::set<std::uint64_t>& hanging);

// Why the configuration stays as it is, for people.
struct Unchanged {
  std::string why;
};

using Decision = std::variant<Configuration, Unchanged>;

// Returns the first configuration, once there are `replicas` candidates that are empty and belong
// to no cluster.  Members are ordered by name in natural order: n1 becomes the head, and n10
// follows n9.
//
// A node that was restored from a backup founds the chain alone and at once, as nobody else holds
// what it holds; the others join it (R9).  If there are two such nodes, the operator has to choose.
//
// REQUIRES: `clusterId` and `replicas` are not 0.
Decision form(const Configuration& current, const std::vector<Candidate>& candidates,
              unsigned replicas, std::uint64_t clusterId);

// Returns `current` without the members in `losses`, all at once.  The others keep their order and
// state.
//
// `heard` are the incarnations that the master hears now.  Nothing changes unless one of them goes
// on serving.  The last serving member must not be removed (R3), and a master that hears nobody has
// to suspect itself rather than all of them.
Decision withoutLost(const Configuration& current, const std::vector<Loss>& losses,
                     const std::set<std::uint64_t>& heard);

// Returns `current` with `joiner` as the syncing member, after all others (R9).  The joiner's disk
// may hold anything: it serves only once it has synced.  The same step removes an old incarnation
// on the same store (R2).  Nothing changes if nobody would be left to serve.
Decision withJoiner(const Configuration& current, const Member& joiner);

// Returns `current` with its syncing member serving, after `reporter` has reported that it gates
// `joiner` in `epoch` (R9.3).  Nothing changes unless these are exactly the epoch of `current`, its
// tail and its syncing member: a tail's promise in another epoch, or for another incarnation, binds
// nobody in this one.
Decision withJoined(const Configuration& current, std::uint64_t epoch, std::uint64_t reporter,
                    std::uint64_t joiner);

// Returns `current` without the member called `name`, on an operator's order.  As after a loss, a
// member that is heard has to go on serving.
Decision withoutDrained(const Configuration& current, std::string_view name,
                        const std::set<std::uint64_t>& heard);

// How a newly started process relates to a member.
enum class Succession : std::uint8_t {
  none,
  // It has the member's data directory, which one process at a time can open.  So the member has
  // ended (R2).
  sameStore,
  // It has the member's name, and another data directory.
  sameName,
};

Succession succession(const Member& member, std::string_view name, std::uint64_t incarnation,
                      std::uint64_t storeId);

// Returns "n1, n2, n3", for people.
std::string listNames(const std::vector<std::string>& names);

// Orders names for people: n2 before n10.
bool naturalLess(std::string_view left, std::string_view right);

}  // namespace gavel::master
