#pragma once

#include <cstdint>
#include <map>

#include <capnp/message.h>
#include <kj/memory.h>
#include <kj/string.h>
#include <kj/time.h>

#include "master/document.h"
#include "master/membership.h"
#include "master/slowness.h"
#include "schema/topology.capnp.h"

namespace gavel::master {

// What a node reports when it registers.
struct Application {
  std::uint32_t protocolVersion = 0;
  Candidate candidate;
  std::uint64_t epoch = 0;  // The newest configuration that it has stored.
  std::uint64_t reign = 0;  // The reign of the newest configuration that it knows (R3).
  std::int64_t clock = 0;   // Its wall clock, in nanoseconds since the Unix epoch.
  std::int64_t skew = 0;    // Its wall clock minus the master's, in nanoseconds.
};

// A node that has registered since this master started.
struct Node {
  Candidate candidate;
  std::uint64_t session = 0;  // Its registration in force; 0: its connection is gone.
  std::int64_t skew = 0;      // As in Application, at its last status.
  // Since when each of its heartbeats has shown a wrong clock, and whether the log has a warning.
  kj::Maybe<kj::TimePoint> skewedSince = nullptr;
  bool warnedOfSkew = false;
  kj::Maybe<kj::TimePoint> diskHangsSince = nullptr;  // R12
  Pace syncs;
  Pace turns;
  kj::Own<schema::NodeStatus::Reader> status;  // The last one.

  const Member& member() const { return candidate.member; }
};

// The nodes that have registered, by incarnation.  Plain data.
class Roster {
public:
  // How many nodes may be known at a time.  A cluster has a handful; this bounds what strangers can
  // do.
  static constexpr std::size_t LIMIT = 1000;

  Node& insert(Node&& node);
  void erase(std::uint64_t incarnation) { nodes.erase(incarnation); }

  Node* find(std::uint64_t incarnation);
  const Node* find(std::uint64_t incarnation) const;
  const std::map<std::uint64_t, Node>& all() const { return nodes; }

private:
  std::map<std::uint64_t, Node> nodes;
};

// Says why a node may not register, for its operator; null if it may.
//
// `namesake` is a live process of the same name with another data directory, if there is one.
// `newest` is the newest known start of the node's data directory.  A process that is not newer
// than that, and is not the very same one, runs on an older copy of the directory (R11).  `bound`
// is what is known to be committed: no operator is asked to empty a directory whose log reaches it.
kj::Maybe<kj::String> whyRefused(const Application& application, const Configuration& current,
                                 const Member* namesake, kj::Maybe<StoreRecord> newest,
                                 const Bound& bound);

// Says why a node may not register because of its clock, when the master's shows `ours` (R15); null
// if it may.  The clock may be right a moment later, so the node is to try again.  A member of
// `current` registers whatever its clock shows: refusing it would only take a working replica away.
kj::Maybe<kj::String> whyClockRefused(const Application& application, const Configuration& current,
                                      std::int64_t ours, kj::Duration maxSkew);

// Reads what a node has measured.  No duration is negative.
Pace readPace(schema::Pace::Reader reader);

// Returns `clock`, which a node reports, minus `reference`.  Never overflows, whatever it reports.
std::int64_t skewOf(std::int64_t clock, std::int64_t reference);
// Returns the distance from the right time, in either direction.
kj::Duration magnitude(std::int64_t skew);

}  // namespace gavel::master
