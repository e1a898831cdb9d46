#include "master/refusals.h"

#include <algorithm>

namespace gavel::master {

bool Refusals::note(const Member& member, const std::string& why, kj::TimePoint now) {
  auto found = byName.find(member.name);
  if (found != byName.end()) {
    auto& known = found->second;
    bool news = known.member.incarnation != member.incarnation || known.why != why;
    known = {member, why, now};
    return news;
  }
  if (byName.size() >= MOST) {
    byName.erase(std::min_element(byName.begin(), byName.end(), [](auto& left, auto& right) {
      return left.second.at < right.second.at;
    }));
  }
  byName.emplace(member.name, Refused{member, why, now});
  return true;
}

}  // namespace gavel::master
