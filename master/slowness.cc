#include "master/slowness.h"

#include <algorithm>

#include "base/duration.h"

namespace gavel::master {
namespace {

constexpr auto NONE = 0 * kj::SECONDS;
// A median counts if it is of at least ENOUGH, or of some that together took long.
constexpr std::uint64_t ENOUGH = 20;
constexpr std::uint64_t ENOUGH_LONG_ONES = 3;
constexpr auto LONG_TOGETHER = 5 * kj::SECONDS;
// A member is slow if it takes this many times as long as any other, and at least SLOW.
constexpr std::int64_t TIMES_SLOWER = 20;
constexpr auto SLOW = 200 * kj::MILLISECONDS;
constexpr auto SLOW_FOR = 10 * kj::SECONDS;
constexpr auto BETWEEN_REMOVALS = 60 * kj::SECONDS;
// These are the conditions for coming back.
constexpr std::int64_t TIMES_GOOD = 5;
constexpr auto GOOD_FOR = 30 * kj::SECONDS;
// How many removed nodes are remembered.  The bound is for names that never come back.
constexpr std::size_t LIMIT = 1000;

bool tells(const Pace& pace) {
  return pace.count >= ENOUGH || (pace.count >= ENOUGH_LONG_ONES && pace.sum >= LONG_TOGETHER);
}

kj::Duration slowest(const std::vector<Measured>& nodes, Pace Measured::*pace) {
  auto longest = NONE;
  for (auto& node: nodes) longest = kj::max(longest, (node.*pace).median);
  return longest;
}

}  // namespace

void Slowness::check(const std::vector<Measured>& members, const std::vector<Measured>& others,
                     kj::TimePoint now) {
  for (auto& [name, suspect]: suspects) suspect.slow = false;
  compare(members, &Measured::syncs, "a sync of its disk", now);
  compare(members, &Measured::turns, "a turn of its event loop", now);
  compareClocks(members, now);
  std::erase_if(suspects, [](auto& each) { return !each.second.slow; });

  for (auto& member: members) out.erase(member.name);
  auto worstSync = kj::max(slowest(members, &Measured::syncs) * TIMES_GOOD, GOOD);
  auto worstTurn = kj::max(slowest(members, &Measured::turns) * TIMES_GOOD, GOOD);
  for (auto& node: others) {
    auto found = out.find(node.name);
    if (found == out.end() || found->second.good) continue;
    auto& record = found->second;
    // A node that has measured nothing is not known to be good.
    bool good = node.syncs.count > 0 && node.syncs.median < worstSync &&
                node.turns.median < worstTurn && !node.skewed;
    if (!good) {
      record.goodSince = nullptr;
    } else if (record.goodSince == nullptr) {
      record.goodSince = now;
    }
    record.good = good && now - record.goodSince.orDefault(now) >= GOOD_FOR;
  }
}

void Slowness::suspect(const Measured& node, std::string cause, kj::TimePoint now) {
  auto [found, added] = suspects.emplace(node.name, Suspect{node.incarnation, cause, now, true});
  auto& suspect = found->second;
  if (!added && suspect.incarnation != node.incarnation) {
    suspect = Suspect{node.incarnation, cause, now, true};
  }
  suspect.cause = std::move(cause);
  suspect.slow = true;
}

void Slowness::compare(const std::vector<Measured>& members, Pace Measured::*pace, const char* what,
                       kj::TimePoint now) {
  const Measured* worst = nullptr;
  auto second = NONE;
  for (auto& member: members) {
    // A member that has measured nothing may be as slow, so nothing is compared.
    if ((member.*pace).count == 0) return;
    if (worst == nullptr || (member.*pace).median > (worst->*pace).median) {
      if (worst != nullptr) second = (worst->*pace).median;
      worst = &member;
    } else {
      second = kj::max(second, (member.*pace).median);
    }
  }
  if (worst == nullptr || members.size() < 2) return;
  auto& slow = worst->*pace;
  if (!tells(slow) || slow.median < SLOW || slow.median < second * TIMES_SLOWER) return;
  suspect(*worst,
          std::string("slow: ") + what + " takes " + formatDuration(slow.median).cStr() +
              ", of every other member " + formatDuration(second).cStr() + " at most",
          now);
}

void Slowness::compareClocks(const std::vector<Measured>& members, kj::TimePoint now) {
  auto wrong = static_cast<std::size_t>(std::count_if(
      members.begin(), members.end(), [](const Measured& member) { return member.skewed; }));
  for (auto& member: members) {
    if (!member.skewed) continue;
    auto others = members.size() - 1;
    if ((others - (wrong - 1)) * 2 <= others) continue;  // Then the master's is rather wrong.
    suspect(member, "its clock is wrong, and most others' are right", now);
  }
}

kj::Maybe<Loss> Slowness::toRemove(kj::TimePoint now) const {
  KJ_IF_MAYBE (last, lastRemoval) {
    if (now - *last < BETWEEN_REMOVALS) return nullptr;
  }
  for (auto& [name, suspect]: suspects) {
    if (now - suspect.since >= SLOW_FOR) return Loss{suspect.incarnation, suspect.cause};
  }
  return nullptr;
}

void Slowness::removed(const std::string& name, const std::string& cause, kj::TimePoint now) {
  suspects.erase(name);
  if (out.size() < LIMIT) out[name] = Out{cause, nullptr, false};
  lastRemoval = now;
}

std::string Slowness::whyOut(const std::string& name) const {
  auto found = out.find(name);
  if (found == out.end() || found->second.good) return "";
  return "was taken out (" + found->second.cause +
         "): it joins once it has kept pace for 30s, or when an operator adds it: gavel chain "
         "add " +
         name;
}

}  // namespace gavel::master
