#include "master/copies.h"

#include <algorithm>

namespace gavel::master {
namespace {

// Whether it has said what it holds.  A member that has not registered with this master has not.
bool isKnown(const Candidate& candidate) {
  return candidate.generation != 0;
}

bool keepsFirst(const Candidate& first, const Candidate& second, const Bound& bound) {
  if (!isKnown(first)) return true;
  bool a = bound.within(first.end);
  bool b = bound.within(second.end);
  if (a != b) return a;
  return first.end.index >= second.end.index;
}

std::string where(const Candidate& candidate) {
  auto text = candidate.member.name + " at " + candidate.member.address;
  if (!isKnown(candidate)) return text + " (a member)";
  return text + " (its log ends at " + std::to_string(candidate.end.index) + ")";
}

}  // namespace

const Copies::Claim& Copies::ask(const Candidate& candidate, kj::TimePoint now) {
  std::erase_if(claims, [&](auto& each) { return now - each.second.last >= kept; });
  auto incarnation = candidate.member.incarnation;
  if (claims.count(incarnation) == 0 && claims.size() >= MOST) claims.erase(claims.begin());
  auto& claim = claims.try_emplace(incarnation, Claim{candidate, now, now}).first->second;
  claim.candidate = candidate;
  claim.last = now;
  return claim;
}

void Copies::settle(const Member& member) {
  std::erase_if(claims, [&](auto& each) {
    auto& claimant = each.second.candidate.member;
    return claimant.incarnation == member.incarnation ||
           (claimant.storeId == member.storeId && claimant.address == member.address);
  });
}

const Copies::Claim* Copies::against(const Member& holder, kj::TimePoint now) const {
  const Claim* newest = nullptr;
  for (auto* claim: all(now)) {
    auto& member = claim->candidate.member;
    if (member.storeId != holder.storeId || member.incarnation == holder.incarnation) continue;
    if (newest == nullptr || claim->last > newest->last) newest = claim;
  }
  return newest;
}

std::vector<const Copies::Claim*> Copies::all(kj::TimePoint now) const {
  std::vector<const Claim*> found;
  for (auto& [incarnation, claim]: claims) {
    if (now - claim.last < kept) found.push_back(&claim);
  }
  return found;
}

std::string describeCopies(const Candidate& holder, const Candidate& claimant, const Bound& bound) {
  bool first = keepsFirst(holder, claimant, bound);
  auto& kept = first ? holder : claimant;
  auto& other = first ? claimant : holder;
  return "two processes run on copies of one data directory: " + where(holder) + " and " +
         where(claimant) + ": stop the one at " + other.member.address + ", and keep the one at " +
         kept.member.address + ", " +
         (!isKnown(kept)           ? "which is a member"
          : bound.within(kept.end) ? "which has all that is known to be committed"
                                   : "whose log is longer");
}

}  // namespace gavel::master
