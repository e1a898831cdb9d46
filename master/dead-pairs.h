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

// Nodes that cannot talk to each other though both are heard, and how a chain goes on without such
// a pair next to each other (R6).
namespace gavel::master {

// The pairs that are known, by the nodes' names, since a restarted process has the same network.
//
// A pair is dead from the moment that it is found so.  After `retry` it may be tried again: its
// nodes may be neighbours.  Found dead then, it waits twice as long, up to 60 times `retry`.  Once
// a link of the pair has worked for `retry` it is forgotten.
//
// In memory: a restarted master finds them anew.
//
// Pure: no clock, I/O or promises.  `now` never goes backwards.
class DeadPairs {
public:
  // How many are remembered; those found the longest ago are forgotten first.
  static constexpr std::size_t LIMIT = 1000;

  using Pair = std::pair<std::string, std::string>;  // In order.
  static Pair pairOf(const std::string& a, const std::string& b) {
    return a < b ? Pair(a, b) : Pair(b, a);
  }

  struct Record {
    std::string cause;    // For people.
    kj::TimePoint since;  // That it does not work.
    kj::TimePoint found;  // The last time.
    kj::TimePoint retryAt;
    unsigned times = 1;  // Found.
    kj::Maybe<kj::TimePoint> worksSince;
  };

  // A `retry` of more than an hour is taken for one of an hour.
  explicit DeadPairs(kj::Duration retry): retry(kj::min(retry, 1 * kj::HOURS)) {}

  // It has been confirmed that the two cannot talk to each other, since `since`.  Returns whether
  // that was not known.
  bool found(const std::string& a, const std::string& b, const std::string& cause,
             kj::TimePoint since, kj::TimePoint now);
  // These, and no others, are linked now, and nothing is amiss.
  void linked(const std::set<Pair>& pairs, kj::TimePoint now);
  // An operator vouches for the node.
  void reset(const std::string& name);

  // Whether they must not be neighbours now.
  bool areDead(const std::string& a, const std::string& b, kj::TimePoint now) const;
  const std::map<Pair, Record>& all() const { return records; }
  // How long until the pair may be tried again.
  static kj::Duration wait(const Record& record, kj::TimePoint now) {
    return kj::max(0 * kj::SECONDS, record.retryAt - now);
  }

private:
  kj::Duration retry;
  std::map<Pair, Record> records;
};

// Which nodes a chain keeps, in their order, so that none of `dead` are neighbours: positions below
// `count`, of which those in `heard` are heard now.
//
// Of all sub-sequences with somebody who is heard, the longest; among equals the one that leaves
// out nodes with most dead pairs, then the one that keeps the head, then the first in order.  Empty
// if nobody is heard.
//
// REQUIRES: dead[i][j] == dead[j][i], for all positions.
std::vector<std::size_t> longestWithout(const std::vector<std::vector<bool>>& dead,
                                        const std::vector<bool>& heard);

// `current` without those who stand in the way of the others: the longest of its serving members
// that remain, and the syncing member if the last of them can talk to it.
//
// `heard` are the incarnations that the master hears now.
Decision withoutDeadPairs(const Configuration& current, const DeadPairs& pairs,
                          const std::set<std::uint64_t>& heard, kj::TimePoint now);

// `next`, which takes members out of `current` for another reason, without those that it would make
// neighbours though they are known to be a dead pair: the longest of its serving members that
// remain, as above, and the syncing member if the last of them can talk to it.  Those who are
// neighbours in `current` already stay: what is amiss with their links is reported.
Configuration withoutNewDeadPairs(const Configuration& current, Configuration next,
                                  const DeadPairs& pairs, const std::set<std::uint64_t>& heard,
                                  kj::TimePoint now);

// `current` without its syncing member, with which the tail cannot talk.
Decision withoutJoiner(const Configuration& current);

}  // namespace gavel::master
