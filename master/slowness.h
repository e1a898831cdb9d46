#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <kj/common.h>
#include <kj/time.h>

#include "master/membership.h"

namespace gavel::master {

// How long something took a node within the last ten seconds, as the node itself reports.
struct Pace {
  std::uint64_t count = 0;
  // Includes what is under way, with the time that it has taken so far.
  kj::Duration sum = 0 * kj::SECONDS;
  kj::Duration median = 0 * kj::SECONDS;
};

struct Measured {
  std::uint64_t incarnation = 0;
  std::string name;
  Pace syncs;
  Pace turns;           // The turns of its event loop.
  bool skewed = false;  // Its clock is beyond --max-skew (R15).
};

// Decides which member makes all others wait, and when it may come back (R12).  Each bid waits for
// the slowest disk and the slowest event loop of the chain.
//
// A member is slow while its median is at least 20 times that of the slowest of the others, and at
// least 200 ms.  So if all are slow alike, all stay.  A slow member leaves after ten seconds; one
// member leaves in a minute at most.  The same holds for a member whose clock is wrong while most
// others' are right.
//
// It may come back once its medians have been below five times those of the slowest members for 30
// s, and its clock right.  An idle node measures a probe of its disk every few seconds.  A median
// below `GOOD` suffices in any case, as the members of a fast chain may take a tenth of a
// millisecond.
//
// Nodes are known by name, as a restarted process may have the same disk.  The records are in
// memory: a restarted master lets a slow node in again, and finds it slow again.
//
// Pure: no clock, I/O or promises.  `now` never goes backwards.
class Slowness {
public:
  static constexpr auto GOOD = 10 * kj::MILLISECONDS;

  // Takes what is known now of the serving members, and of the other nodes that are heard.
  void check(const std::vector<Measured>& members, const std::vector<Measured>& others,
             kj::TimePoint now);

  // Returns the member that has to leave, and why; null if there is none.  The caller checks
  // whether enough remain.
  kj::Maybe<Loss> toRemove(kj::TimePoint now) const;
  // The caller takes the member out of the configuration.
  void removed(const std::string& name, const std::string& cause, kj::TimePoint now);
  // An operator vouches for the node.
  void reset(const std::string& name) { out.erase(name); }

  // Says why a node may not join yet, for people; empty if it may.
  std::string whyOut(const std::string& name) const;

private:
  struct Suspect {
    std::uint64_t incarnation;
    std::string cause;
    kj::TimePoint since;
    bool slow;  // Whether it still was at the last check.
  };
  struct Out {
    std::string cause;
    kj::Maybe<kj::TimePoint> goodSince;
    bool good = false;  // It was good for long enough.
  };

  std::map<std::string, Suspect> suspects;
  std::map<std::string, Out> out;
  kj::Maybe<kj::TimePoint> lastRemoval;

  void suspect(const Measured& node, std::string cause, kj::TimePoint now);
  void compare(const std::vector<Measured>& members, Pace Measured::*pace, const char* what,
               kj::TimePoint now);
  void compareClocks(const std::vector<Measured>& members, kj::TimePoint now);
};

}  // namespace gavel::master
