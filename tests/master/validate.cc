#include "tests/master/validate.h"

#include <map>
#include <set>
#include <vector>

namespace gavel::master {

namespace {

// R3 and R9.
std::optional<std::string> validateStep(const Configuration& before, const Configuration& after) {
  // The place of each old member.
  std::map<std::uint64_t, std::size_t> place;
  for (std::size_t i = 0; i < before.members.size(); ++i) {
    place[before.members[i].incarnation] = i;
  }
  std::size_t next = 0;
  for (auto& member: after.members) {
    auto found = place.find(member.incarnation);
    if (found == place.end()) {
      if (member.serving) return "nobody serves who was no member";
      continue;
    }
    if (found->second < next) return "members keep their order";
    next = found->second + 1;
    auto& old = before.members[found->second];
    if (old.name != member.name || old.address != member.address || old.storeId != member.storeId) {
      return "a member stays who it is";
    }
    // A syncing member may serve: that ends a join, in exactly the epoch after the one in which it
    // was syncing.
    if (old.serving && !member.serving) {
      return "a serving member goes on serving or leaves";
    }
  }
  return std::nullopt;
}

// R11, or an operator's recovery.
std::optional<std::string> validateRestart(const Configuration& before,
                                           const Configuration& after) {
  bool recovery = after.cause.rfind("recovered by an operator", 0) == 0;
  if (recovery && after.members.size() != 1) return "an operator goes on with one node";
  for (auto& member: after.members) {
    if (!member.serving) return "those who restart the chain serve";
    for (auto& old: before.members) {
      if (old.incarnation == member.incarnation) return "only restarted nodes restart the chain";
    }
    bool served = false;
    for (auto& old: before.members) {
      if (old.storeId == member.storeId && old.serving) served = true;
    }
    if (!served && !recovery) return "only who served can be the source";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> validate(const Configuration& before, const Configuration& after) {
  if (after.epoch != before.epoch + 1) return "the epoch grows by one";
  if (after.clusterId == 0) return "a configuration belongs to a cluster";
  if (before.epoch != 0 && after.clusterId != before.clusterId) return "a cluster keeps its id";
  if (after.cause.empty()) return "a configuration says why it was made";

  std::set<std::uint64_t> incarnations;
  std::set<std::uint64_t> stores;
  std::set<std::string> names;
  for (auto& member: after.members) {
    if (!incarnations.insert(member.incarnation).second) return "an incarnation appears once";
    if (!stores.insert(member.storeId).second) return "a store id appears once";
    if (!names.insert(member.name).second) return "a name appears once";
  }

  std::size_t serving = 0;
  std::size_t syncing = 0;
  for (auto& member: after.members) {
    if (!member.serving) {
      ++syncing;
    } else if (syncing > 0) {
      return "serving members come first";
    } else {
      ++serving;
    }
  }
  if (serving == 0) return "a chain has a serving member";
  if (syncing > 1) return "one member is syncing at a time";

  if (before.epoch == 0) {
    if (syncing != 0) return "the first members all serve";
    return std::nullopt;
  }
  bool goesOn = false;  // Some member that served goes on.
  for (auto& old: before.members) {
    for (auto& member: after.members) {
      if (old.serving && member.incarnation == old.incarnation) goesOn = true;
    }
  }
  return goesOn ? validateStep(before, after) : validateRestart(before, after);
}

}  // namespace gavel::master
