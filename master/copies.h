#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <kj/common.h>
#include <kj/time.h>

#include "master/membership.h"

// Processes that run on copies of one data directory (R11).  Pure: no clock, I/O or promises.
namespace gavel::master {

// Processes that ask to be let in while another one has their data directory and is not known to
// have ended.  They are told to try again, and are forgotten when they do not.
class Copies {
public:
  struct Claim {
    Candidate candidate;
    kj::TimePoint
        since;  // Of its first attempt: what was heard of the other one before says nothing.
    kj::TimePoint last;
  };

  // A claim is forgotten when it was not made anew for so long.
  explicit Copies(kj::Duration kept): kept(kept) {}

  // It asks, again perhaps.
  const Claim& ask(const Candidate& candidate, kj::TimePoint now);
  // It was let in.  What asked before at its address has ended.
  void settle(const Member& member);
  // The newest claim to the data directory of `holder`; null if there is none.
  const Claim* against(const Member& holder, kj::TimePoint now) const;
  // All of them.
  std::vector<const Claim*> all(kj::TimePoint now) const;

private:
  // How many processes are remembered; more than a cluster has.
  static constexpr std::size_t MOST = 1000;

  kj::Duration kept;
  std::map<std::uint64_t, Claim> claims;  // By incarnation.
};

// For people: that `holder` and `claimant` run on copies of one data directory, where, and which is
// the one to keep: the one whose log holds `bound`, or else the longer one, or else `holder`'s.
std::string describeCopies(const Candidate& holder, const Candidate& claimant, const Bound& bound);

}  // namespace gavel::master
