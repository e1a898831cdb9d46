#pragma once

#include <string>
#include <vector>

#include <kj/time.h>

#include "master/membership.h"

// Who may join the chain, and who does next (R9).  Pure: no clock, I/O or promises.
namespace gavel::master {

// A registered node that is no member, as the master knows it when it decides.
struct Newcomer {
  Candidate candidate;
  bool heard = false;      // Now.
  bool skewed = false;     // Its clock is beyond --max-skew (R15).
  bool drained = false;    // By an operator, and not added since.
  bool wanted = false;     // An operator let it join whatever the target length.
  bool diskHangs = false;  // R12
  std::string slow;        // Why it was taken out and has not proved well since (slowness.h).
  // How long it still has to wait, as it was lost again and again (flapping.h).
  kj::Duration wait = 0 * kj::SECONDS;
  // Why it cannot be linked to the tail (dead-pairs.h); empty: it can, as far as is known.
  std::string whyNotAfterTail;
  // What is said of another process on a copy of its data directory (copies.h); empty: there is
  // none.
  std::string copy = {};
};

// Why `newcomer` may not be named as syncing, and what to do, for people; empty if it may.
std::string whyNotEligible(const Configuration& current, const Newcomer& newcomer);

// `current` with the next node that joins it, if it is shorter than `replicas` or an operator wants
// a node in it.
//
// Nodes that an operator wants come first.  Then the one with the longest log: a former member,
// which has to catch up with what it missed, before an empty spare, to which everything must be
// copied. Then by name.
//
// A member that is lost has to be removed before.
Decision join(const Configuration& current, const std::vector<Newcomer>& newcomers,
              unsigned replicas);

}  // namespace gavel::master
