#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <kj/common.h>
#include <kj/time.h>

#include "master/membership.h"

// Pairs of nodes that cannot talk to each other though the master hears both, and how a chain goes
// on without such a pair as neighbours (R6).
namespace gavel::master {

// The known dead pairs.  They go by the nodes' names, since a restarted process has the same
// network.
//
// A pair is dead from the moment that it is found dead.  After `retry` its nodes may be neighbours
// again.  If the pair is then found dead again, it waits twice as long, up to 60 times `retry`.  It
// is forgotten once a link between its nodes has worked for `retry`.
//
// The pairs are kept in memory: a restarted master finds them anew.
//
// Pure: no clock, I/O or promises.  `now` never goes backwards.
class DeadPairs {
public:
  // How many pairs are remembered; those found the longest ago are forgotten first.
  static constexpr std::size_t LIMIT = 1000;

  using Pair = std::pair<std::string, std::string>;  // The smaller name first.
  static Pair pairOf(const std::string& a, const std::string& b) {
    return a < b ? Pair(a, b) : Pair(b, a);
  }

  struct Record {
    std::string cause;    // For people.
    kj::TimePoint since;  // When it stopped working.
    kj::TimePoint found;  // When it was last found dead.
    kj::TimePoint retryAt;
    unsigned times = 1;  // How often it was found dead, without those before retryAt.
    kj::Maybe<kj::TimePoint> worksSince;
  };

  // A `retry` of more than an hour counts as an hour.
  explicit DeadPairs(kj::Duration retry): retry(kj::min(retry, 1 * kj::HOURS)) {}

  // It is confirmed that the two have not been able to talk to each other since `since`.  Returns
  // whether that is news: the pair is not known, or could be tried again.
  bool found(const std::string& a, const std::string& b, const std::string& cause,
             kj::TimePoint since, kj::TimePoint now);
  // Exactly these pairs are linked now, and their links work.
  void linked(const std::set<Pair>& pairs, kj::TimePoint now);
  // An operator vouches for the node: its pairs are forgotten.
  void reset(const std::string& name);

  // Whether the two must not be neighbours now.
  bool areDead(const std::string& a, const std::string& b, kj::TimePoint now) const;
  const std::map<Pair, Record>& all() const { return records; }
  // Returns how long it is until the pair may be tried again.
  static kj::Duration wait(const Record& record, kj::TimePoint now) {
    return kj::max(0 * kj::SECONDS, record.retryAt - now);
  }

private:
  kj::Duration retry;
  std::map<Pair, Record> records;
};

// Returns the positions of the nodes that a chain keeps, in their order, so that no dead pair are
// neighbours.  Positions are in [0, dead.size()); heard[i] says whether node i is heard now.
//
// Returns the longest sub-sequence in which somebody is heard.  Among equals it is the one whose
// nodes have the fewest dead pairs, then the one that keeps the head, then the first in order.
// Returns nothing if nobody is heard.
//
// REQUIRES: dead[i][j] == dead[j][i], for all positions.
std::vector<std::size_t> longestWithout(const std::vector<std::vector<bool>>& dead,
                                        const std::vector<bool>& heard);

// Returns `current` without the members that stand in the way of the others.  What remains is the
// longest sub-sequence of its serving members (longestWithout), and the syncing member if the last
// of them can talk to it.
//
// `heard` are the incarnations that the master hears now.
Decision withoutDeadPairs(const Configuration& current, const DeadPairs& pairs,
                          const std::set<std::uint64_t>& heard, kj::TimePoint now);

// `next` takes members out of `current` for another reason.  Returns it without the members that
// would make a known dead pair neighbours.  What remains is chosen as by withoutDeadPairs().  A
// pair that is already neighbours in `current` stays: what is wrong with its link is reported.
Configuration withoutNewDeadPairs(const Configuration& current, Configuration next,
                                  const DeadPairs& pairs, const std::set<std::uint64_t>& heard,
                                  kj::TimePoint now);

// Returns `current` without its syncing member, to which the tail cannot talk.
Decision withoutJoiner(const Configuration& current);

}  // namespace gavel::master
