#include "master/start.h"

namespace gavel::master {

Start::Start(const Configuration& stored, kj::Duration wait, kj::TimePoint now)
    : wait(wait), since(now), empty(stored.epoch == 0) {
  for (auto& member: stored.members) {
    if (member.serving) awaited[member.incarnation].member = member;
  }
}

bool Start::over(kj::TimePoint now) {
  done = done || (awaited.empty() && !empty) || now - since >= wait;
  return done;
}

std::vector<Member> Start::takeQuestions() {
  std::vector<Member> due;
  for (auto& [incarnation, each]: awaited) {
    if (each.asking) continue;
    each.asking = true;
    due.push_back(each.member);
  }
  return due;
}

void Start::silent(std::uint64_t incarnation) {
  auto found = awaited.find(incarnation);
  if (found != awaited.end()) found->second.asking = false;
}

std::string Start::describe() const {
  std::vector<std::string> names;
  for (auto& [incarnation, each]: awaited) {
    names.push_back(each.member.name + " (" + each.member.address + ")");
  }
  return listNames(names);
}

}  // namespace gavel::master
