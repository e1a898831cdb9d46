#include "master/dead-pairs.h"

#include <algorithm>
#include <optional>

namespace gavel::master {
namespace {

constexpr std::int64_t MOST = 60;  // Times the first wait.
constexpr unsigned DOUBLINGS = 6;  // 2^6 is above MOST.

// A sub-sequence that begins at a position.
struct Choice {
  std::vector<std::size_t> kept;
  std::size_t deadPairs = 0;  // Of those kept, all together.
  bool heard = false;

  // Whether it is to be taken rather than `other`.  One that keeps the head comes first in order.
  bool isBefore(const Choice& other) const {
    if (kept.size() != other.kept.size()) return kept.size() > other.kept.size();
    if (deadPairs != other.deadPairs) return deadPairs < other.deadPairs;
    return kept < other.kept;
  }
};

void take(std::optional<Choice>& best, Choice choice) {
  if (!best || choice.isBefore(*best)) best = std::move(choice);
}

std::vector<std::string> names(const std::vector<const Member*>& members) {
  std::vector<std::string> list;
  for (auto* member: members) list.push_back(member->name);
  return list;
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

// Backwards: the best that begins at a position is that position and the best that may follow it.
std::vector<std::size_t> longestWithout(const std::vector<std::vector<bool>>& dead,
                                        const std::vector<bool>& heard) {
  auto count = heard.size();
  // By whether somebody in it is heard.
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
  std::vector<const Member*> serving;
  for (auto& member: current.members) {
    if (member.state == MemberState::serving) serving.push_back(&member);
  }
  auto count = serving.size();
  std::vector<std::vector<bool>> dead(count, std::vector<bool>(count));
  std::vector<bool> isHeard(count);
  for (std::size_t i = 0; i < count; ++i) {
    isHeard[i] = heard.count(serving[i]->incarnation) != 0;
    for (std::size_t j = 0; j < count; ++j) {
      dead[i][j] = i != j && pairs.areDead(serving[i]->name, serving[j]->name, now);
    }
  }
  std::string between;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    if (!dead[i][i + 1]) continue;
    between += (between.empty() ? "" : ", ") + serving[i]->name + " and " + serving[i + 1]->name;
  }
  if (between.empty()) return Unchanged{"all neighbours can talk to each other"};
  auto kept = longestWithout(dead, isHeard);
  if (kept.empty()) return Unchanged{"none of the members is heard"};

  auto next = current.next();
  std::vector<const Member*> left;
  std::size_t position = 0;
  for (auto* member: serving) {
    if (std::find(kept.begin(), kept.end(), position++) != kept.end()) {
      next.members.push_back(*member);
    } else {
      left.push_back(member);
    }
  }
  if (auto* joiner = current.joiner()) {
    if (pairs.areDead(next.members.back().name, joiner->name, now)) {
      left.push_back(joiner);
    } else {
      next.members.push_back(*joiner);
    }
  }
  next.cause = between + " cannot talk to each other: " + listNames(names(left)) + " taken out";
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
