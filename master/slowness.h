#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <kj/common.h>
#include <kj/time.h>

#include "master/membership.h"

namespace gavel::master {

// How long something took a node within the last ten seconds, as it says itself.
struct Pace {
  std::uint64_t count = 0;
  // With one that has not ended yet, as long as it takes so far.
  kj::Duration sum = 0 * kj::SECONDS;
  kj::Duration median = 0 * kj::SECONDS;
};

struct Measured {
  std::uint64_t incarnation = 0;
  std::string name;
  Pace syncs;
  Pace turns;           // Of its event loop.
  bool skewed = false;  // Its clock is beyond --max-skew (R15).
};

// Which member makes all others wait, and when it may come back (R12): each bid waits for the
// slowest disk and the slowest event loop of the chain.
//
// A member is slow while its median is at least 20 times that of the slowest of the others, and at
// least 200 ms.  It leaves after ten seconds of that, one member in a minute at most; likewise one
// whose clock is wrong for ten seconds while most others' are right.  So if all are slow alike, all
// stay.
//
// It may come back once its median was below five times that of the slowest member for 30 s: what
// an idle node measures is a probe of its disk every few seconds.  Up to `GOOD` it counts as well
// in any case, as the members of a fast chain may take a tenth of a millisecond.
//
// Nodes are known by name, as a restarted process may have the same disk.  Kept in memory: a
// restarted master lets a slow node in again, and finds it slow again.
//
// Pure: no clock, I/O or promises.  `now` never goes backwards.
class Slowness {
public:
  static constexpr auto GOOD = 10 * kj::MILLISECONDS;

  // What is known now of the serving members that are heard, and of the other nodes that are.
  void check(const std::vector<Measured>& members, const std::vector<Measured>& others,
             kj::TimePoint now);

  // The member that has to leave, if there is one, and why.  Whether enough remain is for the
  // caller.
  kj::Maybe<Loss> toRemove(kj::TimePoint now) const;
  // The configuration without it is stored.
  void removed(const std::string& name, const std::string& cause, kj::TimePoint now);
  // An operator vouches for it.
  void reset(const std::string& name) { out.erase(name); }

  // Why a node may not join yet, for people; empty if it may.
  std::string whyOut(const std::string& name) const;

private:
  struct Suspect {
    std::uint64_t incarnation;
    std::string cause;
    kj::TimePoint since;
    bool slow;  // Still so at the last check.
  };
  struct Out {
    std::string cause;
    kj::Maybe<kj::TimePoint> goodSince;
    bool good = false;  // For long enough.
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
