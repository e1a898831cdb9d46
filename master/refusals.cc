#include "master/refusals.h"

#include <algorithm>

namespace gavel::master {

bool Refusals::note(const Member& member, const std::string& why, const std::string& about,
                    kj::TimePoint now) {
  auto found = byName.find(member.name);
  if (found != byName.end()) {
    auto& known = found->second;
    bool news = known.member.incarnation != member.incarnation || known.about != about;
    known = {member, why, now, about};
    return news;
  }
  if (byName.size() >= MOST) {
    byName.erase(std::min_element(byName.begin(), byName.end(), [](auto& left, auto& right) {
      return left.second.at < right.second.at;
    }));
  }
  byName.emplace(member.name, Refused{member, why, now, about});
  return true;
}

}  // namespace gavel::master
