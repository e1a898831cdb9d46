#include "master/joining.h"

#include <algorithm>

#include "base/duration.h"

namespace gavel::master {
namespace {

bool isBefore(const Newcomer& left, const Newcomer& right) {
  if (left.wanted != right.wanted) return left.wanted;
  if (left.candidate.last != right.candidate.last) {
    return left.candidate.last > right.candidate.last;
  }
  return naturalLess(left.candidate.member.name, right.candidate.member.name);
}

}  // namespace

std::string whyNotEligible(const Configuration& current, const Newcomer& newcomer) {
  auto& candidate = newcomer.candidate;
  auto& name = candidate.member.name;
  if (!newcomer.heard) return "it is not heard: start it again, or look at its network";
  if (candidate.restored()) {
    return "it was restored from a backup, and this chain has its own state: start it with an "
           "empty directory";
  }
  if (candidate.clusterId != 0 && candidate.clusterId != current.clusterId) {
    return "its data directory belongs to another cluster: start it with an empty one";
  }
  auto* namesake = current.named(name);
  if (namesake != nullptr && namesake->incarnation != candidate.member.incarnation &&
      namesake->storeId != candidate.member.storeId) {
    return "a member with another data directory has its name";
  }
  if (!newcomer.copy.empty()) return newcomer.copy;
  if (candidate.promised > current.epoch) {
    return "it has promised a master that is being rebuilt to adopt nothing below epoch " +
           std::to_string(candidate.promised) +
           ": run gavel-master --rebuild again, to its end, or start the node with an empty "
           "directory";
  }
  if (newcomer.skewed)
    return "its clock is wrong, or the master's: they differ by more than --max-skew; set the "
           "wrong one right (NTP).  A node that was let in with a wrong clock must be started "
           "again";
  if (newcomer.drained) {
    return "drained: `gavel chain add " + name + "` lets it join again";
  }
  if (newcomer.diskHangs) return "its disk does not answer: look at it, and start the node again";
  if (!newcomer.slow.empty()) return newcomer.slow;
  if (newcomer.wait > 0 * kj::SECONDS) {
    return std::string("flapping: it was lost again and again soon after it had joined; ") +
           formatDuration(newcomer.wait).cStr() + " left before it joins again";
  }
  return newcomer.whyNotAfterTail;
}

Decision join(const Configuration& current, const std::vector<Newcomer>& newcomers,
              unsigned replicas) {
  if (current.epoch == 0) return Unchanged{"the chain has not formed yet"};
  if (auto* joiner = current.joiner()) {
    return Unchanged{"waits until " + joiner->name + " has joined"};
  }
  bool isShort = current.members.size() < replicas;
  const Newcomer* best = nullptr;
  for (auto& newcomer: newcomers) {
    if (!isShort && !newcomer.wanted) continue;
    if (current.contains(newcomer.candidate.member.incarnation)) continue;
    if (!whyNotEligible(current, newcomer).empty()) continue;
    if (best == nullptr || isBefore(newcomer, *best)) best = &newcomer;
  }
  if (best != nullptr) return withJoiner(current, best->candidate.member);
  if (isShort) return Unchanged{"no node is there that could join"};
  return Unchanged{"spare: the chain has its length of " + std::to_string(replicas)};
}

}  // namespace gavel::master
