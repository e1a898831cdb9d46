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

// What a node says when it registers.
struct Application {
  std::uint32_t protocolVersion = 0;
  Candidate candidate;
  std::uint64_t epoch = 0;  // Of the newest configuration that it has stored,
  std::uint64_t reign = 0;  // and of the newest that it knows (R3).
  std::int64_t clock = 0;   // Nanoseconds since the Unix epoch,
  std::int64_t skew = 0;    // and that minus the master's.
};

// A node that has registered since this master started.
struct Node {
  Candidate candidate;
  std::uint64_t session = 0;  // Of its registration in force; 0: its connection is gone.
  std::int64_t skew = 0;
  // Since when each of its heartbeats has shown a wrong clock, and whether the operator was warned.
  kj::Maybe<kj::TimePoint> skewedSince = nullptr;
  bool warnedOfSkew = false;
  kj::Maybe<kj::TimePoint> diskHangsSince = nullptr;  // R12
  Pace syncs;
  Pace turns;
  kj::Own<schema::NodeStatus::Reader> status;  // As last heard.

  const Member& member() const { return candidate.member; }
};

// The nodes that have registered, by incarnation.  Plain data.
class Roster {
public:
  // How many may be known at a time.  A cluster has a handful; this bounds what strangers can do.
  static constexpr std::size_t LIMIT = 1000;

  Node& insert(Node&& node);
  void erase(std::uint64_t incarnation) { nodes.erase(incarnation); }

  Node* find(std::uint64_t incarnation);
  const Node* find(std::uint64_t incarnation) const;
  const std::map<std::uint64_t, Node>& all() const { return nodes; }

private:
  std::map<std::uint64_t, Node> nodes;
};

// Why a node may not register, for its operator; null if it may.
//
// `namesake` is a live process of the same name with another data directory, if there is one.  A
// `newest` is the newest start of its data directory that is known: one that is not newer, and not
// the very same process, runs on an older copy of the directory (R11).  `bound` is what is known to
// be committed: nobody is told to empty a directory whose log holds that.
kj::Maybe<kj::String> whyRefused(const Application& application, const Configuration& current,
                                 const Member* namesake, kj::Maybe<StoreRecord> newest,
                                 const Bound& bound);

// The same of its clock, where the master's says `ours` (R15).  That may be right any moment, so
// the node is to try again.  A member of `current` registers whatever its clock says, as it was
// admitted before: refusing it would only take a working replica away.
kj::Maybe<kj::String> whyClockRefused(const Application& application, const Configuration& current,
                                      std::int64_t ours, kj::Duration maxSkew);

// What a node says that it measured; never negative.
Pace readPace(schema::Pace::Reader reader);

// `clock` is what a node says its wall clock shows.  Never overflows, whatever that is.
std::int64_t skewOf(std::int64_t clock, std::int64_t reference);
// The distance from the right time, whichever way.
kj::Duration magnitude(std::int64_t skew);

}  // namespace gavel::master
