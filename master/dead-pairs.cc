#include "master/dead-pairs.h"

#include <algorithm>
#include <optional>

namespace gavel::master {
namespace {

constexpr std::int64_t MOST = 60;  // The longest wait, in multiples of the first.
constexpr unsigned DOUBLINGS = 6;  // 2^6 is above MOST.

// A sub-sequence that begins at a position.
struct Choice {
  std::vector<std::size_t> kept;
  std::size_t deadPairs = 0;  // The sum over the nodes kept.
  bool heard = false;

  // Whether this choice is preferred to `other`.  One that keeps the head is first in order.
  bool isBefore(const Choice& other) const {
    if (kept.size() != other.kept.size()) return kept.size() > other.kept.size();
    if (deadPairs != other.deadPairs) return deadPairs < other.deadPairs;
    return kept < other.kept;
  }
};

void take(std::optional<Choice>& best, Choice choice) {
  if (!best || choice.isBefore(*best)) best = std::move(choice);
}

// What remains when the members that stand in the way of the others are taken out.
struct Apart {
  std::vector<Member> kept;       // Empty if no serving member is heard.
  std::vector<std::string> left;  // The names of those taken out.
  std::string between;            // The neighbours that are dead pairs, for people.
  bool serving = false;           // Whether both members of some such pair serve.

  std::string cause() const {
    return between + " cannot talk to each other: " + listNames(left) + " taken out";
  }
};

// `isDead` gets two members, the earlier one first, and returns whether they are a dead pair.
template <typename IsDead>
Apart partMembers(const std::vector<Member>& members, const std::set<std::uint64_t>& heard,
                  IsDead isDead) {
  Apart result;
  std::vector<const Member*> serving;
  const Member* joiner = nullptr;
  for (auto& member: members) {
    if (member.serving) {
      serving.push_back(&member);
    } else {
      joiner = &member;
    }
  }
  auto count = serving.size();
  std::vector<std::vector<bool>> dead(count, std::vector<bool>(count));
  std::vector<bool> isHeard(count);
  auto note = [&](const Member& a, const Member& b) {
    result.between += (result.between.empty() ? "" : ", ") + a.name + " and " + b.name;
  };
  for (std::size_t i = 0; i < count; ++i) {
    isHeard[i] = heard.count(serving[i]->incarnation) != 0;
    for (auto j = i + 1; j < count; ++j) {
      dead[i][j] = dead[j][i] = isDead(*serving[i], *serving[j]);
    }
    if (i == 0 || !dead[i - 1][i]) continue;
    note(*serving[i - 1], *serving[i]);
    result.serving = true;
  }
  auto kept = longestWithout(dead, isHeard);
  for (std::size_t i = 0; i < count; ++i) {
    if (std::find(kept.begin(), kept.end(), i) != kept.end()) {
      result.kept.push_back(*serving[i]);
    } else {
      result.left.push_back(serving[i]->name);
    }
  }
  if (joiner == nullptr || result.kept.empty()) return result;
  if (isDead(result.kept.back(), *joiner)) {
    note(result.kept.back(), *joiner);
    result.left.push_back(joiner->name);
  } else {
    result.kept.push_back(*joiner);
  }
  return result;
}

}  // namespace

bool DeadPairs::found(const std::string& a, const std::string& b, const std::string& cause,
                      kj::TimePoint since, kj::TimePoint now) {
  auto [at, isNew] = records.emplace(pairOf(a, b), Record{cause, since, now, now + retry, 1, {}});
  auto& record = at->second;
  record.worksSince = nullptr;
  if (isNew) {
    if (records.size() > LIMIT) {
      records.erase(std::min_element(records.begin(), records.end(), [](auto& left, auto& right) {
        return left.second.found < right.second.found;
      }));
    }
    return true;
  }
  record.found = now;
  record.cause = cause;
  if (now < record.retryAt) return false;
  ++record.times;
  auto doublings = std::min(record.times - 1, DOUBLINGS);
  record.retryAt = now + retry * std::min(std::int64_t{1} << doublings, MOST);
  return true;
}

void DeadPairs::linked(const std::set<Pair>& pairs, kj::TimePoint now) {
  for (auto each = records.begin(); each != records.end();) {
    auto& record = each->second;
    bool over = false;
    if (pairs.count(each->first) == 0) {
      record.worksSince = nullptr;
    } else if (record.worksSince == nullptr) {
      record.worksSince = now;
    } else {
      over =
          record.worksSince.map([&](auto begin) { return now - begin >= retry; }).orDefault(false);
    }
    each = over ? records.erase(each) : std::next(each);
  }
}

void DeadPairs::reset(const std::string& name) {
  std::erase_if(records,
                [&](auto& each) { return each.first.first == name || each.first.second == name; });
}

bool DeadPairs::areDead(const std::string& a, const std::string& b, kj::TimePoint now) const {
  auto found = records.find(pairOf(a, b));
  return found != records.end() && now < found->second.retryAt;
}

// Works backwards: the best choice from a position is that position and the best that may follow.
std::vector<std::size_t> longestWithout(const std::vector<std::vector<bool>>& dead,
                                        const std::vector<bool>& heard) {
  auto count = heard.size();
  // Indexed by whether somebody in the choice is heard.
  std::vector<std::optional<Choice>> best[2];
  for (auto& each: best) each.resize(count);
  std::optional<Choice> result;
  for (auto i = count; i-- > 0;) {
    auto degree = static_cast<std::size_t>(std::count(dead[i].begin(), dead[i].end(), true));
    take(best[heard[i]][i], Choice{{i}, degree, heard[i]});
    for (auto j = i + 1; j < count; ++j) {
      if (dead[i][j]) continue;
      for (auto& table: best) {
        if (!table[j]) continue;
        Choice choice = *table[j];
        choice.kept.insert(choice.kept.begin(), i);
        choice.deadPairs += degree;
        choice.heard = choice.heard || heard[i];
        auto& slot = best[choice.heard][i];
        take(slot, std::move(choice));
      }
    }
    if (best[true][i]) take(result, *best[true][i]);
  }
  return result ? result->kept : std::vector<std::size_t>();
}

Decision withoutDeadPairs(const Configuration& current, const DeadPairs& pairs,
                          const std::set<std::uint64_t>& heard, kj::TimePoint now) {
  auto apart = partMembers(current.members, heard, [&](const Member& a, const Member& b) {
    return pairs.areDead(a.name, b.name, now);
  });
  if (!apart.serving) return Unchanged{"all neighbours can talk to each other"};
  if (apart.kept.empty()) return Unchanged{"none of the members is heard"};
  auto next = current.next();
  next.members = std::move(apart.kept);
  next.cause = apart.cause();
  return next;
}

Configuration withoutNewDeadPairs(const Configuration& current, Configuration next,
                                  const DeadPairs& pairs, const std::set<std::uint64_t>& heard,
                                  kj::TimePoint now) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> linked;
  for (std::size_t i = 0; i + 1 < current.members.size(); ++i) {
    linked.emplace(current.members[i].incarnation, current.members[i + 1].incarnation);
  }
  auto apart = partMembers(next.members, heard, [&](const Member& a, const Member& b) {
    return pairs.areDead(a.name, b.name, now) && linked.count({a.incarnation, b.incarnation}) == 0;
  });
  if (apart.left.empty() || apart.kept.empty()) return next;
  next.members = std::move(apart.kept);
  next.cause += "; " + apart.cause();
  return next;
}

Decision withoutJoiner(const Configuration& current) {
  auto* joiner = current.joiner();
  auto* tail = current.tail();
  if (joiner == nullptr || tail == nullptr) return Unchanged{"nobody is joining"};
  auto next = current.next();
  for (auto& member: current.members) {
    if (&member != joiner) next.members.push_back(member);
  }
  next.cause = tail->name + " and " + joiner->name + " cannot talk to each other: " + joiner->name +
               ", which was joining, taken out";
  return next;
}

}  // namespace gavel::master
