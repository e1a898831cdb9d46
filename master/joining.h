#pragma once

#include <string>
#include <vector>

#include <kj/time.h>

#include "master/membership.h"

// Which nodes may join the chain, and which one joins next (R9).  Pure: no clock, I/O or promises.
namespace gavel::master {

// A registered node that is not a member, as the master knows it when it decides.
struct Newcomer {
  Candidate candidate;
  bool heard = false;      // The master hears it now.
  bool skewed = false;     // Its clock is beyond --max-skew (R15).
  bool drained = false;    // An operator has drained it, and none has added it since.
  bool wanted = false;     // An operator lets it join whatever the target length is.
  bool diskHangs = false;  // R12
  std::string slow;        // Why it is out because it was slow (slowness.h); empty: it is not.
  // How long it still has to wait, because it was lost again and again (flapping.h).
  kj::Duration wait = 0 * kj::SECONDS;
  // Why it cannot be linked to the tail (dead-pairs.h); empty: nothing is known against it.
  std::string whyNotAfterTail;
  // Describes another process on a copy of its data directory (copies.h); empty: there is none.
  std::string copy = {};
};

// Says why `newcomer` may not be named as syncing, and what to do, for people; empty if it may.
std::string whyNotEligible(const Configuration& current, const Newcomer& newcomer);

// Returns `current` with the next node that joins it, if `current` is shorter than `replicas` or an
// operator wants a node in it.
//
// Nodes that an operator wants come first, then longer logs, then names in order.  A former member
// only has to catch up with what it missed, while an empty spare needs a copy of everything.
//
// Lost members have to be removed first.
Decision join(const Configuration& current, const std::vector<Newcomer>& newcomers,
              unsigned replicas);

}  // namespace gavel::master
