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

// Measures how long a re-link takes: from the suspicion that caused it until every member acts in
// the new configuration.  Only the newest re-link is measured; one that is overtaken has no
// duration.
//
// Keeps the durations until they are stored.  Pure: no clock, I/O or promises.
class RelinkTiming {
public:
  // Returns whether an earlier re-link is overtaken: its measurement has not ended.
  bool begin(const Configuration& configuration, kj::TimePoint since);
  // `epoch` is in force.  If another master made it, its duration is unknown, and nothing is
  // measured.
  void inForce(std::uint64_t epoch);

  // A member acts in `epoch`.  Returns the duration in nanoseconds if it was the last one awaited.
  kj::Maybe<std::int64_t> acknowledged(std::uint64_t incarnation, std::uint64_t epoch,
                                       kj::TimePoint now);

  // Returns the names of the members that have not acted in the new configuration for `limit`, for
  // people.  Returns none if there are no such members, or if they were returned before.
  std::string slow(const Configuration& configuration, kj::TimePoint now, kj::Duration limit);

  // Writes the durations that are not stored yet into `relinks`.
  void fill(std::vector<Relink>& relinks) const;
  // `relinks` is stored.  Their durations, and those of older re-links, are dropped.
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
