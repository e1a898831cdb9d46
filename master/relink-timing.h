#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <kj/common.h>
#include <kj/time.h>

#include "master/document.h"

namespace gavel::master {

// Measures how long a re-link takes: from the suspicion that caused it until every member has acted
// in the new configuration.  The newest one counts; one that is overtaken has no duration.
//
// Keeps the durations until they are stored.  Pure: no clock, I/O or promises.
class RelinkTiming {
public:
  // Returns whether an earlier re-link was still being measured.
  bool begin(const Configuration& configuration, kj::TimePoint since);
  // `epoch` is in force.  If it is another master's, nobody knows since when it was needed.
  void inForce(std::uint64_t epoch);

  // A member acts in `epoch`.  Returns the duration in nanoseconds if it was the last one awaited.
  kj::Maybe<std::int64_t> acknowledged(std::uint64_t incarnation, std::uint64_t epoch,
                                       kj::TimePoint now);

  // The names of the members that have kept everybody waiting for `limit`, for people.  Empty if
  // there are none, or they were named before.
  std::string slow(const Configuration& configuration, kj::TimePoint now, kj::Duration limit);

  // Writes the durations that are not stored yet into `relinks`.
  void fill(std::vector<Relink>& relinks) const;
  // This is what is stored; durations of older re-links are of no use any more.
  void stored(const std::vector<Relink>& relinks);

private:
  struct Running {
    std::uint64_t epoch;
    kj::TimePoint since;
    std::set<std::uint64_t> awaited;
    bool saidSlow = false;
  };

  kj::Maybe<Running> running;
  std::map<std::uint64_t, std::int64_t> unstored;  // By epoch.
};

}  // namespace gavel::master
