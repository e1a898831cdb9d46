#include "master/membership.h"

#include <algorithm>

#include "base/planted.h"

namespace gavel::master {
namespace {

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// Removes the number at the start of `text`, and returns it without its leading zeros.
std::string_view takeNumber(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && isDigit(text[end])) ++end;
  auto number = text.substr(0, end);
  text.remove_prefix(end);
  auto significant = std::min(number.find_first_not_of('0'), number.size());
  return number.substr(significant);
}

std::string number(std::size_t value, std::string_view noun) {
  return std::to_string(value) + " " + std::string(noun) + (value == 1 ? "" : "s");
}

// This is not the order of a chain, whose members keep the order that they have (R3).
[[maybe_unused]] bool isBefore(const Member& left, const Member& right) {
  if (left.serving != right.serving) return left.serving;
  return naturalLess(left.name, right.name);
}

}  // namespace

Decision form(const Configuration& current, const std::vector<Candidate>& candidates,
              unsigned replicas, std::uint64_t clusterId) {
  if (current.epoch != 0) return Unchanged{"the chain has formed before"};

  std::vector<Member> members;
  std::vector<Member> restored;
  for (auto& candidate: candidates) {
    if (candidate.clusterId != 0) continue;
    // A node that has just restarted may be here twice: each name and each store gets one place.
    auto& among = candidate.restored() ? restored : members;
    bool twice = std::any_of(among.begin(), among.end(), [&](const Member& member) {
      return member.name == candidate.member.name || member.storeId == candidate.member.storeId;
    });
    if (twice) continue;
    if (candidate.restored() && !candidate.damage.empty()) {
      return Unchanged{"what " + candidate.member.name + " restored is damaged (" +
                       candidate.damage + "): restore it anew"};
    }
    among.push_back(candidate.member);
    among.back().serving = true;
  }
  for (auto* list: {&members, &restored}) {
    std::sort(list->begin(), list->end(), [](const Member& left, const Member& right) {
      return naturalLess(left.name, right.name);
    });
  }
  if (restored.size() > 1) {
    std::vector<std::string> names;
    for (auto& member: restored) names.push_back(member.name);
    return Unchanged{
        listNames(names) +
        " were each restored from a backup, and a chain has one beginning: stop all but "
        "one of them, and start the others with empty directories"};
  }
  if (restored.empty() && members.size() < replicas) {
    return Unchanged{"waiting for " + number(replicas - members.size(), "more empty node")};
  }

  Configuration next;
  next.clusterId = clusterId;
  next.epoch = 1;
  if (restored.empty()) {
    members.resize(replicas);
    next.members = std::move(members);
    next.cause = "formed";
  } else {
    next.cause = "formed from the backup that " + restored.front().name + " restored";
    next.members = std::move(restored);
  }
  return next;
}

std::vector<Loss> lossesByHanging(const Configuration& current, const std::vector<Loss>& losses,
                                  const std::set<std::uint64_t>& heard,
                                  const std::set<std::uint64_t>& hanging) {
  std::vector<Loss> more;
  bool remains = false;
  for (auto& member: current.members) {
    auto lost = std::any_of(losses.begin(), losses.end(), [&](const Loss& loss) {
      return loss.incarnation == member.incarnation;
    });
    if (lost || heard.count(member.incarnation) == 0) continue;
    if (hanging.count(member.incarnation) != 0) {
      more.push_back({member.incarnation, "its disk does not answer"});
    } else if (member.serving) {
      remains = true;
    }
  }
  if (!remains) more.clear();
  return more;
}

Decision withoutLost(const Configuration& current, const std::vector<Loss>& losses,
                     const std::set<std::uint64_t>& heard) {
  auto next = current.next();
  bool serving = false;
  bool heardServing = false;
  for (auto& member: current.members) {
    auto loss = std::find_if(losses.begin(), losses.end(), [&](const Loss& loss) {
      return loss.incarnation == member.incarnation;
    });
    if (loss == losses.end()) {
      next.members.push_back(member);
      if (!member.serving) continue;
      serving = true;
      heardServing = heardServing || heard.count(member.incarnation) != 0;
    } else {
      if (!next.cause.empty()) next.cause += "; ";
      next.cause += member.name + " lost: " + loss->cause;
    }
  }
  if (next.members.size() == current.members.size()) return Unchanged{"no member is lost"};
  if (!serving) {
    return Unchanged{"every serving member is lost, and the last one is never removed"};
  }
  if (!heardServing) return Unchanged{"none of the members that would remain is heard"};
  if (planted(Bug::reorderMembers)) std::sort(next.members.begin(), next.members.end(), isBefore);
  return next;
}

Decision withJoiner(const Configuration& current, const Member& joiner) {
  if (current.epoch == 0) return Unchanged{"the chain has not formed yet"};
  if (current.contains(joiner.incarnation)) return Unchanged{joiner.name + " is a member already"};
  auto next = current.next();
  for (auto& member: current.members) {
    if (member.storeId == joiner.storeId) continue;
    if (member.name == joiner.name) return Unchanged{"a member is called " + joiner.name};
    if (!member.serving) {
      return Unchanged{member.name + " is joining, and one node joins at a time"};
    }
    next.members.push_back(member);
  }
  if (next.members.empty()) return Unchanged{"nobody would be left to serve"};
  next.members.push_back(joiner);
  next.members.back().serving = false;
  next.cause = joiner.name + " joins";
  return next;
}

Decision withJoined(const Configuration& current, std::uint64_t epoch, std::uint64_t reporter,
                    std::uint64_t joiner) {
  if (epoch != current.epoch && !planted(Bug::takeGateOfOldEpoch)) {
    return Unchanged{"the gate belongs to another epoch"};
  }
  auto* tail = current.tail();
  if (tail == nullptr || tail->incarnation != reporter) {
    return Unchanged{"only the tail can gate"};
  }
  auto* syncing = current.joiner();
  if (syncing == nullptr || syncing->incarnation != joiner) {
    return Unchanged{"the gate is for another process than the one that is joining"};
  }
  auto next = current.next();
  next.members = current.members;
  for (auto& member: next.members) member.serving = true;
  next.cause = syncing->name + " has joined";
  return next;
}

Decision withoutDrained(const Configuration& current, std::string_view name,
                        const std::set<std::uint64_t>& heard) {
  auto next = current.next();
  bool serving = false;
  bool heardServing = false;
  for (auto& member: current.members) {
    if (member.name == name) continue;
    next.members.push_back(member);
    if (!member.serving) continue;
    serving = true;
    heardServing = heardServing || heard.count(member.incarnation) != 0;
  }
  auto drained = std::string(name);
  if (next.members.size() == current.members.size()) return Unchanged{drained + " is no member"};
  if (!serving) {
    return Unchanged{drained +
                     " is the last serving member, which is never removed: let another "
                     "node join first"};
  }
  if (!heardServing) return Unchanged{"none of the members that would remain is heard"};
  next.cause = drained + " drained";
  return next;
}

Succession succession(const Member& member, std::string_view name, std::uint64_t incarnation,
                      std::uint64_t storeId) {
  if (member.incarnation == incarnation) return Succession::none;
  if (member.storeId == storeId) return Succession::sameStore;
  return member.name == name ? Succession::sameName : Succession::none;
}

std::string listNames(const std::vector<std::string>& names) {
  std::string text;
  for (auto& name: names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool naturalLess(std::string_view left, std::string_view right) {
  auto a = left;
  auto b = right;
  while (!a.empty() && !b.empty()) {
    if (isDigit(a.front()) && isDigit(b.front())) {
      auto x = takeNumber(a);
      auto y = takeNumber(b);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      if (a.front() != b.front()) return a.front() < b.front();
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  if (a.empty() != b.empty()) return a.empty();
  return left < right;  // They differ in leading zeros only.
}

}  // namespace gavel::master
