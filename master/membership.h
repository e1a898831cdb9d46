#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// Which configuration follows which: the rules R2 and R3 as pure functions.  No clock, I/O or
// promises; the caller adds the stamp, and stores the result before it tells anybody.
namespace gavel::master {

enum class MemberState : std::uint8_t { serving, syncing };

struct Member {
  std::string name;
  std::string address;
  std::uint64_t incarnation = 0;
  std::uint64_t storeId = 0;
  MemberState state = MemberState::serving;

  bool operator==(const Member&) const = default;
};

// Who is in the chain in one epoch: serving members from head to tail, then at most one syncing.
struct Configuration {
  std::uint64_t clusterId = 0;
  std::uint64_t epoch = 0;  // 0: none was made yet, and all else is empty.
  std::vector<Member> members;
  std::int64_t stamp = 0;
  std::string cause;

  bool operator==(const Configuration&) const = default;

  bool contains(std::uint64_t incarnation) const;
  // The member with that incarnation; null if there is none.
  const Member* find(std::uint64_t incarnation) const;
  // "n1 n2 n3", for people.
  std::string describe() const;
};

// A node that could become a member.
struct Candidate {
  Member member;
  std::uint64_t clusterId = 0;  // 0: belongs to none.
  bool empty = false;           // Holds no entries.
};

// A member that is believed to run no longer, and why, for people: "connection closed, then
// refused".
struct Loss {
  std::uint64_t incarnation = 0;
  std::string cause;
};

// Why things stay as they are, for people.
struct Unchanged {
  std::string why;
};

using Decision = std::variant<Configuration, Unchanged>;

// The first configuration, once there are `replicas` candidates which are empty and belong to no
// cluster.  By name in natural order, so that n1 becomes the head and n10 follows n9.
//
// REQUIRES: `clusterId` and `replicas` are not 0.
Decision form(const Configuration& current, const std::vector<Candidate>& candidates,
              unsigned replicas, std::uint64_t clusterId);

// `current` without the members in `losses`, all at once.  Others keep their order and state.
//
// `heard` are the incarnations that the master hears now.  Unless one of them goes on serving,
// nothing changes: with nobody left, the last serving member must not be removed (R3), and a master
// which hears nobody has to suspect itself rather than all of them.
Decision withoutLost(const Configuration& current, const std::vector<Loss>& losses,
                     const std::set<std::uint64_t>& heard);

// How a newly started process relates to a member.
enum class Succession : std::uint8_t {
  none,
  // It has the member's data directory, which one process at a time can open: the member is gone
  // (R2).
  sameStore,
  // It only has the member's name, with another data directory.
  sameName,
};

Succession succession(const Member& member, std::string_view name, std::uint64_t incarnation,
                      std::uint64_t storeId);

// Order for people: n2 before n10.
bool naturalLess(std::string_view left, std::string_view right);

}  // namespace gavel::master
