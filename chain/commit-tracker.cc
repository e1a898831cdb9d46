#include "chain/commit-tracker.h"

#include <algorithm>

namespace gavel::chain {

void CommitTracker::adopt(Role newRole, std::uint64_t logEnd) {
  role = newRole;
  upstream = 0;
  barrier = logEnd;
  decide();
}

void CommitTracker::persisted(std::uint64_t index) {
  durable_ = std::max(durable_, index);
  decide();
}

void CommitTracker::heardUpstream(std::uint64_t index) {
  upstream = std::max(upstream, index);
  decide();
}

void CommitTracker::heardCommit(std::uint64_t index) {
  commit_ = std::max(commit_, index);
}

std::uint64_t CommitTracker::toSuccessor() const {
  return isHead(role) ? durable_ : std::min(durable_, upstream);
}

void CommitTracker::decide() {
  if (isTail(role)) commit_ = std::max(commit_, toSuccessor());
}

}  // namespace gavel::chain
