#include "master/relink-timing.h"

namespace gavel::master {

bool RelinkTiming::begin(const Configuration& configuration, kj::TimePoint since) {
  bool overtaken = running != nullptr;
  Running started{configuration.epoch, since, {}};
  for (auto& member: configuration.members) started.awaited.insert(member.incarnation);
  running = kj::mv(started);
  return overtaken;
}

void RelinkTiming::inForce(std::uint64_t epoch) {
  KJ_IF_MAYBE (current, running) {
    if (current->epoch != epoch) running = nullptr;
  }
}

kj::Maybe<std::int64_t> RelinkTiming::acknowledged(std::uint64_t incarnation, std::uint64_t epoch,
                                                   kj::TimePoint now) {
  KJ_IF_MAYBE (current, running) {
    if (epoch < current->epoch) return nullptr;
    current->awaited.erase(incarnation);
    if (!current->awaited.empty()) return nullptr;
    // 0 would mean that it was not measured.
    auto duration = kj::max((now - current->since) / kj::NANOSECONDS, std::int64_t{1});
    unstored[current->epoch] = duration;
    running = nullptr;
    return duration;
  }
  return nullptr;
}

std::string RelinkTiming::slow(const Configuration& configuration, kj::TimePoint now,
                               kj::Duration limit) {
  std::string names;
  KJ_IF_MAYBE (current, running) {
    if (current->saidSlow || now - current->since < limit) return names;
    current->saidSlow = true;
    for (auto& member: configuration.members) {
      if (current->awaited.count(member.incarnation) == 0) continue;
      names += (names.empty() ? "" : " ") + member.name;
    }
  }
  return names;
}

void RelinkTiming::fill(std::vector<Relink>& relinks) const {
  for (auto& relink: relinks) {
    auto known = unstored.find(relink.configuration.epoch);
    if (known != unstored.end()) relink.duration = known->second;
  }
}

void RelinkTiming::stored(const std::vector<Relink>& relinks) {
  for (auto& relink: relinks) {
    if (relink.duration != 0) unstored.erase(relink.configuration.epoch);
  }
  if (relinks.empty()) return;
  unstored.erase(unstored.begin(), unstored.lower_bound(relinks.front().configuration.epoch));
}

}  // namespace gavel::master
