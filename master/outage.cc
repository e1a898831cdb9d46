#include "master/outage.h"

#include <algorithm>

#include "base/planted.h"

namespace gavel::master {
namespace {

std::size_t placeOf(const Configuration& current, const Member& member) {
  for (std::size_t i = 0; i < current.members.size(); ++i) {
    if (current.members[i].storeId == member.storeId) return i;
  }
  return current.members.size();
}

// Returns the lowest index at which the log of `old` can end if its disk has kept everything.
std::uint64_t leastEnd(const Member& old, const std::map<std::uint64_t, Told>& told) {
  std::uint64_t least = 0;
  for (auto& [incarnation, each]: told) {
    // What is committed is durable on all serving members.
    least = std::max(
        least, incarnation == old.incarnation ? std::max(each.durable, each.commit) : each.commit);
  }
  return least;
}

Outage::Unfit judge(const Configuration& current, const Returned& returned,
                    const std::map<std::uint64_t, Told>& told, const Bound& bound) {
  auto& candidate = returned.candidate;
  auto& member = candidate.member;
  auto* old = current.servingStore(member.storeId);
  if (old == nullptr) {
    bool joining = placeOf(current, member) < current.members.size();
    if (planted(joining ? Bug::joinerAsSource : Bug::formerMemberAsSource)) return {member, ""};
    return {member, "it was not serving in epoch " + std::to_string(current.epoch)};
  }
  // A directory of no cluster is of a node that ended before it adopted a configuration.  Nothing
  // was committed with it.
  if (candidate.clusterId != 0 && candidate.clusterId != current.clusterId) {
    return {member, "its data directory belongs to another cluster"};
  }
  if (!candidate.damage.empty()) return {member, "damaged: " + candidate.damage};
  auto before = told.find(old->incarnation);
  if (candidate.unsynced || (before != told.end() && before->second.unsynced)) {
    return {member, "it ran with --sync=never: its disk may lack what was acknowledged"};
  }
  if (!bound.within(candidate.end)) {
    return {member, "its log ends at " + std::to_string(candidate.end.index) + ", but " +
                        std::to_string(bound.at.index) +
                        " is known to be committed: an older copy of a data directory, or a disk "
                        "that lost what was synced"};
  }
  if (!returned.copy.empty()) return {member, returned.copy, true};
  auto least = leastEnd(*old, told);
  if (candidate.last < least) {
    return {member, "its log ends at " + std::to_string(candidate.last) + ", but " +
                        std::to_string(least) +
                        " was on its disk: an older copy of its data directory, or a disk that "
                        "lost what was synced"};
  }
  if (!returned.oldEnded) {
    return {member,
            "not certain yet that the process before it has ended, at " + old->address +
                ": if that one still runs, this one has a copy of its data directory, and must be "
                "stopped",
            true};
  }
  return {member, ""};
}

}  // namespace

bool Outage::pending() const {
  return std::any_of(unfit.begin(), unfit.end(), [](const Unfit& each) { return each.pending; });
}

bool Outage::isSource(std::uint64_t incarnation) const {
  return std::any_of(sources.begin(), sources.end(),
                     [&](const Member& member) { return member.incarnation == incarnation; });
}

const Outage::Unfit* Outage::findUnfit(std::uint64_t incarnation) const {
  for (auto& each: unfit) {
    if (each.member.incarnation == incarnation) return &each;
  }
  return nullptr;
}

Outage assess(const Configuration& current, const std::vector<Returned>& returned,
              const std::map<std::uint64_t, Told>& told, const Bound& known) {
  Outage outage;
  auto bound = Bound::highest(known, {}, current.restartedIn);
  for (auto& each: returned) {
    if (each.candidate.clusterId != current.clusterId) continue;
    bound = Bound::highest(bound, each.candidate.bound, current.restartedIn);
  }
  std::vector<const Candidate*> sources;
  for (auto& each: returned) {
    auto judged = judge(current, each, told, bound);
    if (judged.why.empty()) {
      sources.push_back(&each.candidate);
    } else {
      outage.unfit.push_back(std::move(judged));
    }
  }
  std::sort(sources.begin(), sources.end(), [&](const Candidate* left, const Candidate* right) {
    if (left->last != right->last) return left->last > right->last;
    return placeOf(current, left->member) < placeOf(current, right->member);
  });
  for (auto* source: sources) outage.sources.push_back(source->member);
  std::sort(outage.unfit.begin(), outage.unfit.end(), [](auto& left, auto& right) {
    return naturalLess(left.member.name, right.member.name);
  });
  for (auto& member: current.members) {
    if (!member.serving) continue;
    bool back = std::any_of(returned.begin(), returned.end(), [&](const Returned& each) {
      return each.candidate.member.storeId == member.storeId;
    });
    if (!back) outage.awaited.push_back(member);
  }
  return outage;
}

Decision restarted(const Configuration& current, const Outage& outage) {
  if (outage.sources.empty()) return Unchanged{describe(current, outage)};
  auto next = current.next();
  std::vector<std::string> names;
  for (auto& source: outage.sources) {
    next.members.push_back(source);
    next.members.back().serving = true;
    names.push_back(source.name);
  }
  next.cause = "restarted after a total outage: " + listNames(names);
  return next;
}

std::string describe(const Configuration& current, const Outage& outage) {
  std::string text =
      "total outage: no serving member of epoch " + std::to_string(current.epoch) + " runs.";
  std::vector<std::string> names;
  for (auto& member: outage.awaited) names.push_back(member.name + " (" + member.address + ")");
  if (!names.empty()) {
    text += " Awaited: " + listNames(names) + ": start them on their data directories.";
  }
  if (!outage.sources.empty()) {
    names.clear();
    for (auto& member: outage.sources) names.push_back(member.name);
    text += " Ready to go on: " + listNames(names) + ".";
  }
  if (!outage.unfit.empty()) {
    names.clear();
    for (auto& each: outage.unfit) names.push_back(each.member.name + " (" + each.why + ")");
    text += " Cannot be the source: " + listNames(names) + ".";
  }
  if (outage.sources.empty()) {
    text +=
        " If no awaited node will come back, `gavel chain recover NODE` goes on with one node "
        "alone, and loses what only the others have.";
  }
  return text;
}

Configuration recovered(const Configuration& current, const Candidate& candidate) {
  auto next = current.next();
  next.restartedFrom = candidate.end;
  next.restartedIn = next.epoch;
  auto& source = candidate.member;
  next.members.push_back(source);
  next.members.back().serving = true;
  auto others = lostWith(current, source);
  next.cause = "recovered by an operator from " + source.name + " alone: ";
  if (others.empty()) {
    next.cause += "entries that its disk has lost are lost";
  } else {
    next.cause += "entries that only " + listNames(others) + " had are lost";
  }
  return next;
}

std::vector<std::string> lostWith(const Configuration& current, const Member& source) {
  std::vector<std::string> names;
  for (auto& member: current.members) {
    if (member.serving && member.storeId != source.storeId) {
      names.push_back(member.name);
    }
  }
  return names;
}

}  // namespace gavel::master
