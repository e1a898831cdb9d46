#include "topology/configuration.h"

#include <algorithm>
#include <set>

#include <kj/debug.h>

namespace gavel {

const char* roleName(Role role) {
  switch (role) {
    case Role::waiting:
      return "waiting";
    case Role::syncing:
      return "syncing";
    case Role::head:
      return "head";
    case Role::middle:
      return "middle";
    case Role::tail:
      return "tail";
    case Role::single:
      return "single";
  }
  return "waiting";
}

void Member::write(schema::Member::Builder builder) const {
  builder.setName(name.c_str());
  builder.setAddress(address.c_str());
  builder.setIncarnation(incarnation);
  builder.setStoreId(storeId);
  builder.setState(serving ? schema::Member::State::SERVING : schema::Member::State::SYNCING);
}

Configuration Configuration::read(schema::Configuration::Reader reader) {
  Configuration result;
  result.clusterId = reader.getClusterId();
  result.epoch = reader.getEpoch();
  result.stamp = reader.getStamp();
  result.cause = reader.getCause().cStr();
  result.restartedFrom = readPosition(reader.getRestartedFrom());
  result.restartedIn = reader.getRestartedIn();
  result.minMembers = reader.getMinMembers();
  result.reign = reader.getReign();
  KJ_REQUIRE(result.restartedIn <= result.epoch, "configuration that was restarted in the future",
             result.epoch, result.restartedIn);
  std::set<std::uint64_t> stores;
  std::set<std::uint64_t> incarnations;
  bool syncing = false;
  for (auto member: reader.getMembers()) {
    bool serving = member.getState() == schema::Member::State::SERVING;
    KJ_REQUIRE(!syncing, "configuration with a member after the syncing one", result.epoch);
    KJ_REQUIRE(stores.insert(member.getStoreId()).second,
               "configuration that names a store twice (R2)", result.epoch, member.getName());
    KJ_REQUIRE(incarnations.insert(member.getIncarnation()).second,
               "configuration that names a process twice", result.epoch, member.getName());
    syncing = syncing || !serving;
    result.members.push_back({member.getName().cStr(), member.getAddress().cStr(),
                              member.getIncarnation(), member.getStoreId(), serving});
  }
  KJ_REQUIRE((result.epoch == 0) == (result.servingCount() == 0),
             "configuration without serving members", result.epoch);
  return result;
}

void Configuration::write(schema::Configuration::Builder builder) const {
  builder.setClusterId(clusterId);
  builder.setEpoch(epoch);
  builder.setStamp(stamp);
  builder.setCause(cause.c_str());
  writePosition(restartedFrom, builder.initRestartedFrom());
  builder.setRestartedIn(restartedIn);
  builder.setMinMembers(minMembers);
  builder.setReign(reign);
  auto list = builder.initMembers(static_cast<unsigned>(members.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    members[i].write(list[i]);
  }
}

Configuration Configuration::next() const {
  Configuration next;
  next.clusterId = clusterId;
  next.epoch = epoch + 1;
  next.restartedFrom = restartedFrom;
  next.restartedIn = restartedIn;
  next.minMembers = minMembers;
  next.reign = reign;
  return next;
}

const Member* Configuration::find(std::uint64_t incarnation) const {
  for (auto& member: members) {
    if (member.incarnation == incarnation) return &member;
  }
  return nullptr;
}

const Member* Configuration::named(std::string_view name) const {
  for (auto& member: members) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

const Member* Configuration::servingStore(std::uint64_t storeId) const {
  for (auto& member: members) {
    if (member.storeId == storeId && member.serving) return &member;
  }
  return nullptr;
}

std::size_t Configuration::servingCount() const {
  return static_cast<std::size_t>(
      std::count_if(members.begin(), members.end(), [](auto& member) { return member.serving; }));
}

std::optional<std::size_t> Configuration::positionOf(std::uint64_t incarnation) const {
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].incarnation == incarnation) return i;
  }
  return std::nullopt;
}

const Member* Configuration::head() const {
  return servingCount() == 0 ? nullptr : &members.front();
}

const Member* Configuration::tail() const {
  auto count = servingCount();
  return count == 0 ? nullptr : &members[count - 1];
}

const Member* Configuration::joiner() const {
  return members.empty() || members.back().serving ? nullptr : &members.back();
}

const Member* Configuration::predecessor(std::uint64_t incarnation) const {
  auto position = positionOf(incarnation);
  return position.value_or(0) == 0 ? nullptr : &members[*position - 1];
}

const Member* Configuration::successor(std::uint64_t incarnation) const {
  auto position = positionOf(incarnation);
  return !position || *position + 1 == members.size() ? nullptr : &members[*position + 1];
}

Role Configuration::roleOf(std::uint64_t incarnation) const {
  auto position = positionOf(incarnation);
  if (!position) return Role::waiting;
  if (!members[*position].serving) return Role::syncing;
  bool first = *position == 0;
  bool last = *position + 1 == servingCount();
  if (first && last) return Role::single;
  return first ? Role::head : last ? Role::tail : Role::middle;
}

std::string Configuration::describe() const {
  std::string text;
  for (auto& member: members) {
    if (!text.empty()) text += " > ";
    text += member.name;
    if (!member.serving) text += " (syncing)";
  }
  return text.empty() ? "(empty)" : text;
}

}  // namespace gavel
