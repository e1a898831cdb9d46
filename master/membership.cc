#include "master/membership.h"

#include <algorithm>

namespace gavel::master {
namespace {

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// Cuts the number at the start of `text` off, without its leading zeros.
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

}  // namespace

bool Configuration::contains(std::uint64_t incarnation) const {
  return find(incarnation) != nullptr;
}

const Member* Configuration::find(std::uint64_t incarnation) const {
  for (auto& member: members) {
    if (member.incarnation == incarnation) return &member;
  }
  return nullptr;
}

std::string Configuration::describe() const {
  std::string text;
  for (auto& member: members) {
    if (!text.empty()) text += ' ';
    text += member.name;
    if (member.state == MemberState::syncing) text += "(syncing)";
  }
  return text;
}

Decision form(const Configuration& current, const std::vector<Candidate>& candidates,
              unsigned replicas, std::uint64_t clusterId) {
  if (current.epoch != 0) return Unchanged{"the chain has formed before"};

  std::vector<Member> members;
  for (auto& candidate: candidates) {
    if (!candidate.empty || candidate.clusterId != 0) continue;
    // A node that has just restarted may be here twice: one place for each name and store.
    bool twice = std::any_of(members.begin(), members.end(), [&](const Member& member) {
      return member.name == candidate.member.name || member.storeId == candidate.member.storeId;
    });
    if (twice) continue;
    members.push_back(candidate.member);
    members.back().state = MemberState::serving;
  }
  if (members.size() < replicas) {
    return Unchanged{"waiting for " + number(replicas - members.size(), "more empty node")};
  }
  std::sort(members.begin(), members.end(), [](const Member& left, const Member& right) {
    return naturalLess(left.name, right.name);
  });
  members.resize(replicas);

  Configuration next;
  next.clusterId = clusterId;
  next.epoch = 1;
  next.members = std::move(members);
  next.cause = "formed";
  return next;
}

Decision withoutLost(const Configuration& current, const std::vector<Loss>& losses,
                     const std::set<std::uint64_t>& heard) {
  Configuration next;
  next.clusterId = current.clusterId;
  next.epoch = current.epoch + 1;
  bool serving = false;
  bool heardServing = false;
  for (auto& member: current.members) {
    auto loss = std::find_if(losses.begin(), losses.end(), [&](const Loss& loss) {
      return loss.incarnation == member.incarnation;
    });
    if (loss == losses.end()) {
      next.members.push_back(member);
      if (member.state != MemberState::serving) continue;
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
  return next;
}

Succession succession(const Member& member, std::string_view name, std::uint64_t incarnation,
                      std::uint64_t storeId) {
  if (member.incarnation == incarnation) return Succession::none;
  if (member.storeId == storeId) return Succession::sameStore;
  return member.name == name ? Succession::sameName : Succession::none;
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
  return left < right;  // Equal but for leading zeros.
}

}  // namespace gavel::master
