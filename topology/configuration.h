#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log/position.h"
#include "schema/topology.capnp.h"

namespace gavel {

// What a node does in a configuration.
enum class Role : std::uint8_t { waiting, syncing, head, middle, tail, single };

const char* roleName(Role role);
inline bool isHead(Role role) {
  return role == Role::head || role == Role::single;
}
inline bool isTail(Role role) {
  return role == Role::tail || role == Role::single;
}
inline bool isServing(Role role) {
  return role != Role::waiting && role != Role::syncing;
}

struct Member {
  std::string name;
  std::string address;
  std::uint64_t incarnation = 0;
  std::uint64_t storeId = 0;
  bool serving = true;

  bool operator==(const Member&) const = default;

  void write(schema::Member::Builder builder) const;
};

// Who is in the chain, in which order, in one epoch (R3).  Epoch 0 is the empty configuration
// before the chain forms.
struct Configuration {
  std::uint64_t clusterId = 0;
  std::uint64_t epoch = 0;
  std::vector<Member> members;  // Serving ones from head to tail, then at most one syncing.
  // The master's wall clock when it was made, in ns since the Unix epoch, and why it was made.
  // Both are for people only.
  std::int64_t stamp = 0;
  std::string cause;
  // The end of the log from which an operator's last order that gave entries up had the chain go
  // on, and the epoch that this order made (R11).  0: there was no such order.
  Position restartedFrom = {};
  std::uint64_t restartedIn = 0;
  // While fewer serve, nothing new is logged (R18).
  std::uint32_t minMembers = 0;
  // The reign of the master that made it (R3); 0: a master that was never lost.
  std::uint64_t reign = 0;

  bool operator==(const Configuration&) const = default;

  // Whether fewer members serve than have to (R18).
  bool isShort() const { return epoch != 0 && servingCount() < minMembers; }
  std::size_t servingCount() const;

  // Throws FAILED if the message breaks the rules of a configuration: an epoch without serving
  // members, serving members in epoch 0, a store id or an incarnation twice, a member after a
  // syncing one, a `restartedIn` above the epoch.
  static Configuration read(schema::Configuration::Reader reader);
  void write(schema::Configuration::Builder builder) const;

  // The next one: without members, stamp and cause, with all that goes on from each to the next.
  Configuration next() const;

  bool contains(std::uint64_t incarnation) const { return find(incarnation) != nullptr; }
  // These are null where there is no such member.
  const Member* find(std::uint64_t incarnation) const;
  const Member* named(std::string_view name) const;
  const Member* servingStore(std::uint64_t storeId) const;
  const Member* head() const;
  const Member* tail() const;
  const Member* joiner() const;  // The syncing member.
  // The neighbours of a member, to which it links.  The syncing member's predecessor is the tail,
  // and it is the tail's successor (R9).  Null at the ends, and for those who are no members.
  const Member* predecessor(std::uint64_t incarnation) const;
  const Member* successor(std::uint64_t incarnation) const;
  Role roleOf(std::uint64_t incarnation) const;

  // "n1 > n2 > n3", for people.
  std::string describe() const;

private:
  std::optional<std::size_t> positionOf(std::uint64_t incarnation) const;
};

}  // namespace gavel
