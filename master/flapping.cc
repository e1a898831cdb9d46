#include "master/flapping.h"

#include <algorithm>

namespace gavel::master {
namespace {

constexpr std::int64_t MOST = 60;  // The longest wait, in multiples of the delay.

}  // namespace

void Flapping::joined(const std::string& name, kj::TimePoint now) {
  members.emplace(name, now);
}

void Flapping::lost(const std::string& name, kj::TimePoint now) {
  auto since = members.find(name);
  if (since == members.end()) return;
  bool stable = now - since->second >= forgive;
  members.erase(since);
  if (stable) {
    records.erase(name);
    return;
  }
  auto& record = records.emplace(name, Record{0, now}).first->second;
  ++record.losses;
  record.lastLoss = now;
  if (records.size() <= LIMIT) return;
  records.erase(std::min_element(records.begin(), records.end(), [](auto& left, auto& right) {
    return left.second.lastLoss < right.second.lastLoss;
  }));
}

kj::Duration Flapping::wait(const std::string& name, kj::TimePoint now) const {
  constexpr auto NONE = 0 * kj::SECONDS;
  auto found = records.find(name);
  if (found == records.end() || found->second.losses < 2) return NONE;
  auto doublings = std::min(found->second.losses - 2, 6u);  // 2^6 is above MOST.
  auto whole = delay * std::min(std::int64_t{1} << doublings, MOST);
  return kj::max(NONE, whole - (now - found->second.lastLoss));
}

}  // namespace gavel::master
