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

// The processes that ask to be let in while another one has their data directory and is not known
// to have ended.  They are asked to try again, and are forgotten when they do not.
class Copies {
public:
  struct Claim {
    Candidate candidate;
    // When it first asked.  That the other process was heard before this proves nothing.
    kj::TimePoint since;
    kj::TimePoint last;  // When it last asked.
  };

  // A claim is forgotten when it has not been made anew for `kept`.
  explicit Copies(kj::Duration kept): kept(kept) {}

  // `candidate` asks to be let in, for the first time or again.
  const Claim& ask(const Candidate& candidate, kj::TimePoint now);
  // `member` is let in.  Whatever asked before at its address, with its data directory, has ended.
  void settle(const Member& member);
  // Returns the newest claim to the data directory of `holder`; null if there is none.
  const Claim* against(const Member& holder, kj::TimePoint now) const;
  // Returns all claims that are not forgotten.
  std::vector<const Claim*> all(kj::TimePoint now) const;

private:
  // How many processes are remembered; more than a cluster has.
  static constexpr std::size_t MOST = 1000;

  kj::Duration kept;
  std::map<std::uint64_t, Claim> claims;  // By incarnation.
};

// Says, for people, that `holder` and `claimant` run on copies of one data directory, where they
// run, and which one to keep.  That is the one whose log holds `bound`, else the one with the
// longer log, else `holder`.  A `holder` that has not said what it holds is kept in any case.
std::string describeCopies(const Candidate& holder, const Candidate& claimant, const Bound& bound);

}  // namespace gavel::master
