#include "master/rebuild.h"

#include <algorithm>
#include <optional>

namespace gavel::master {
namespace {

bool names(const std::vector<std::string>& all, const std::string& name) {
  return std::find(all.begin(), all.end(), name) != all.end();
}

bool hasStore(const Configuration& configuration, std::uint64_t storeId) {
  return std::any_of(configuration.members.begin(), configuration.members.end(),
                     [&](const Member& member) { return member.storeId == storeId; });
}

// Returns the process that runs on the member's data directory, preferably the very member.
const Heard* findHeard(const std::vector<Heard>& heard, const Member& member) {
  const Heard* found = nullptr;
  for (auto& each: heard) {
    auto& there = each.candidate.member;
    if (there.storeId != member.storeId) continue;
    if (found == nullptr || there.incarnation == member.incarnation) found = &each;
  }
  return found;
}

// Whether the node has promised not to adopt `configuration`, which is newer than its own.
bool isHeld(const Heard& heard, const Configuration& configuration) {
  return heard.newest.epoch < configuration.epoch && heard.candidate.promised > configuration.epoch;
}

// Whether a member of the configuration at which `held` promised is in a later epoch, below the
// promised one.  If so, not all have promised.
bool isReleased(const std::vector<Heard>& heard, const Heard& held) {
  return std::any_of(heard.begin(), heard.end(), [&](const Heard& each) {
    return hasStore(held.newest, each.candidate.member.storeId) &&
           each.durableEpoch > held.newest.epoch && each.durableEpoch < held.candidate.promised;
  });
}

// Returns the newest configuration of which all members can say that it is their newest.
const Configuration& baseOf(const std::vector<Heard>& heard, const Configuration& newest) {
  const Configuration* base = &newest;
  for (;;) {
    const Configuration* lower = nullptr;
    for (auto& member: base->members) {
      auto* there = findHeard(heard, member);
      if (there == nullptr || !isHeld(*there, *base) || isReleased(heard, *there)) continue;
      lower = &there->newest;
    }
    if (lower == nullptr) return *base;
    base = lower;
  }
}

std::string reasonOf(const std::map<std::string, std::string>& unheard, const Member& member) {
  auto found = unheard.find(member.address);
  return member.name + " (" + member.address +
         (found == unheard.end() ? ")" : ": " + found->second + ")");
}

RebuildPlan wait(std::string why) {
  RebuildPlan plan;
  plan.awaited = std::move(why);
  return plan;
}

// Returns the other process, if two run on copies of one data directory; else null.
const Heard* findCopy(const std::vector<Heard>& heard, const Heard& found) {
  auto& member = found.candidate.member;
  for (auto& each: heard) {
    auto& other = each.candidate.member;
    if (other.storeId == member.storeId && other.incarnation != member.incarnation) return &each;
  }
  return nullptr;
}

}  // namespace

RebuildPlan planRebuild(const std::vector<Heard>& heard,
                        const std::map<std::string, std::string>& unheard,
                        const std::vector<std::string>& without) {
  const Heard* newest = nullptr;
  std::uint64_t above = 0;
  for (auto& each: heard) {
    if (each.newest.epoch == 0) continue;
    if (newest != nullptr && newest->newest.clusterId != each.newest.clusterId) {
      return wait(newest->candidate.member.name + " and " + each.candidate.member.name +
                  " belong to different clusters: name nodes of one only (--node)");
    }
    if (newest == nullptr || each.newest.epoch > newest->newest.epoch) newest = &each;
    above = std::max({above, each.newest.epoch, each.candidate.promised});
  }
  if (newest == nullptr) {
    std::vector<std::string> reasons;
    for (auto& [address, why]: unheard) reasons.push_back(address + ": " + why);
    return wait(reasons.empty()
                    ? "none of the nodes has been in a chain: there is nothing to rebuild"
                    : "no node is heard that has been in a chain (" + listNames(reasons) + ")");
  }

  RebuildPlan plan;
  plan.base = baseOf(heard, newest->newest);
  plan.epoch = above + REBUILD_STEP;
  std::vector<std::string> missing;
  for (auto& member: plan.base.members) {
    auto* there = findHeard(heard, member);
    bool given = names(without, member.name);
    if (there == nullptr) {
      if (given) {
        plan.givenUp.push_back(member);
      } else {
        missing.push_back(reasonOf(unheard, member));
      }
      continue;
    }
    if (given) {
      return wait(member.name + " is heard, at " + there->address +
                  ": it need not be given up (--without)");
    }
    if (auto* copy = findCopy(heard, *there)) {
      return wait("two processes run on copies of the data directory of " + member.name + ", at " +
                  there->address + " and " + copy->address + ": stop one of them");
    }
    bool released = isHeld(*there, plan.base);
    plan.questions.push_back(
        {member.storeId, member.name, there->address, released ? there->newest.epoch : 0});
  }
  for (auto& name: without) {
    if (plan.base.named(name) == nullptr) {
      return wait(name +
                  ", which is to be given up (--without), is no member of the newest "
                  "configuration, epoch " +
                  std::to_string(plan.base.epoch) + ": " + plan.base.describe());
    }
  }
  if (!missing.empty()) {
    plan.awaited = "every member of epoch " + std::to_string(plan.base.epoch) +
                   " has to promise, and not heard is " + listNames(missing) +
                   ": start it, or name the address where it is now (--node); if its data is lost "
                   "for good, give it up by name (--without)";
  }
  return plan;
}

Rebuilt rebuiltDocument(const RebuildPlan& plan, const std::vector<Candidate>& promised,
                        std::uint64_t reign) {
  Rebuilt result;
  Configuration next = plan.base.next();
  next.epoch = plan.epoch;
  next.reign = reign;
  next.cause = "rebuilt after the master was lost, from epoch " + std::to_string(plan.base.epoch);
  Bound bound;
  for (auto& each: promised) bound = Bound::highest(bound, each.bound, next.restartedIn);

  auto find = [&](const Member& member) -> const Candidate* {
    for (auto& each: promised) {
      if (each.member.storeId == member.storeId) return &each;
    }
    return nullptr;
  };
  if (plan.givenUp.empty()) {
    next.members = plan.base.members;
  } else {
    const Candidate* source = nullptr;
    for (auto& member: plan.base.members) {
      auto* candidate = find(member);
      if (!member.serving || candidate == nullptr) continue;
      if (!candidate->damage.empty()) continue;
      if (source == nullptr || candidate->end.index > source->end.index) source = candidate;
    }
    if (source == nullptr) {
      result.refused =
          "none of the members that serve is heard with data that is sound: there is "
          "nothing to go on from";
      return result;
    }
    if (!source->stored) {
      result.refused = "the end of the log of " + source->member.name +
                       " is not on its disk yet: waiting for it";
      return result;
    }
    std::vector<std::string> lost;
    for (auto& member: plan.givenUp) lost.push_back(member.name);
    next.cause += ", without " + listNames(lost);
    auto member = source->member;
    member.serving = true;
    next.members = {member};
    next.restartedIn = next.epoch;
    next.restartedFrom = source->end;
    bound = {source->end, next.epoch};
  }

  result.document.clusterId = next.clusterId;
  result.document.bound = bound;
  result.document.relinks.push_back({std::move(next), 0});
  for (auto& member: result.document.current().members) {
    auto* candidate = find(member);
    // Of another process it is only known that its directory is the member's.
    if (candidate == nullptr || candidate->member.incarnation != member.incarnation) continue;
    result.document.remember({member.storeId, candidate->generation, member.incarnation});
  }
  return result;
}

std::vector<std::string> whatIsForgotten() {
  return {
      "which nodes were drained: drain those again that are to stay out (gavel chain drain)",
      "which nodes flapped or were slow, and which pairs could not talk to each other: that is "
      "found out again",
      "which data directories were older copies, but for those of the members: do not start any",
      "the configurations before, and how long re-links took",
  };
}

}  // namespace gavel::master
