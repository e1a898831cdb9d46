#include "chain/commit-tracker.h"

#include <algorithm>

#include "base/planted.h"

namespace gavel::chain {

void CommitTracker::restart(std::uint64_t durable, std::uint64_t commit) {
  durable_ = durable;
  commit_ = commit;
  committedHere_ = 0;
  if (!planted(Bug::keepNumbersOfOldEpoch)) upstream = heardCommit_ = 0;
}

void CommitTracker::adopt(Role newRole, std::uint64_t logEnd) {
  role = newRole;
  barrier = logEnd;
  gated_ = false;
  committedHere_ = 0;
  if (!planted(Bug::keepNumbersOfOldEpoch)) upstream = heardCommit_ = joinerDurable_ = 0;
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
  heardCommit_ = std::max(heardCommit_, index);
  decide();
}

void CommitTracker::joinerAttached() {
  if (!planted(Bug::keepNumbersOfOldEpoch)) joinerDurable_ = 0;
}

void CommitTracker::joinerPersisted(std::uint64_t index) {
  joinerDurable_ = std::max(joinerDurable_, index);
  decide();
}

void CommitTracker::gate() {
  gated_ = true;
}

bool CommitTracker::gateHolds() const {
  bool caughtUp = joinerDurable_ >= commit_ || planted(Bug::gateBeforeCaughtUp);
  return gated_ && caughtUp && (pastBarrier() || planted(Bug::gateBeforeBarrier));
}

std::uint64_t CommitTracker::toSuccessor() const {
  bool unheard = upstream == 0 && planted(Bug::tellNumberUnheard);
  return isHead(role) || unheard ? durable_ : std::min(durable_, upstream);
}

void CommitTracker::decide() {
  auto index = heardCommit_;
  if (isTail(role)) {
    index =
        gated_ && !planted(Bug::skipGate) ? std::min(toSuccessor(), joinerDurable_) : toSuccessor();
  } else if (role == Role::syncing) {
    index = std::min(heardCommit_, durable_);
  }
  commit_ = std::max(commit_, index);
  committedHere_ = std::max(committedHere_, index);
}

}  // namespace gavel::chain
