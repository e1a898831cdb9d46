#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "master/membership.h"

// How the chain comes back after a total outage (R11).  Pure: no clock, I/O or promises.
//
// Once no serving member of the stored configuration runs, a configuration of restarted members
// follows it.  This is safe although a silent member may be alive on the other side of a partition:
//
// - Let e be the stored epoch.  Every entry that was ever acknowledged is durable on every serving
//   member of e.  For entries committed in e this is the definition of commit.  For older ones, the
//   members of e served before, or joined by a gate of the epoch right before e (R9), and after the
//   gate nothing was committed without the joiner.  So the disk of each serving member holds all of
//   them, unless it lost what it had synced.  No other disk is certain to.
// - The old incarnation of a source S has ended: a new process holds its data directory, and a
//   probe of its old address did not find it.  From then on nothing is committed in e, since a
//   commit takes S's durable index, which nobody reports (R5).  What was committed on an index that
//   the old process had reported is on S's disk, as it reported only what was synced.
// - From then on nobody answers a query in e either.  Each answer takes the word of every serving
//   member, S among them, that it is still in e (R10).
// - Members that are alive after all learn of the later epoch when they are heard again, and rejoin
//   by R9.  What they hold beyond the sources' logs was never acknowledged.
// - The logs of the serving members of e are prefixes of each other, also after their restarts,
//   which are new incarnations.  Ordered by length, longest first, each log is a prefix of its
//   predecessor's, as R4 requires.
//
// Hence one source is enough.  The master waits a while for the others only to keep the chain long,
// and out of caution.  A node that was not serving in e is not a source, whatever its log holds: e
// may have committed without it.
namespace gavel::master {

// A registered node that is heard.
struct Returned {
  Candidate candidate;
  // Whether the incarnation that its data directory had in the stored configuration has certainly
  // ended.
  bool oldEnded = false;
  // Describes another process on a copy of its data directory that has not ended (copies.h); empty:
  // there is none.
  std::string copy = {};
};

// What a serving member of the stored configuration reported before it was lost, as far as this
// master has heard it.
struct Told {
  std::uint64_t durable = 0;  // Highest index on its disk.
  std::uint64_t commit = 0;   // Highest commit index it knew of.
  bool unsynced = false;      // It ran with --sync=never.
};

struct Outage {
  // Serving members whose data directories are not back.
  std::vector<Member> awaited;
  // The members that can go on, in their order in the chain: longest log first.
  std::vector<Member> sources;
  // Registered nodes that cannot be a source, and why.
  struct Unfit {
    Member member;
    std::string why;
    // Whether it may yet become a source by itself.
    bool pending = false;
  };
  std::vector<Unfit> unfit;

  // Whether some node may yet become a source by itself.
  bool pending() const;
  // Whether waiting longer cannot bring more sources.
  bool complete() const { return awaited.empty() && !pending(); }
  // Whether `incarnation` is a source.
  bool isSource(std::uint64_t incarnation) const;
  // Null if it is not among `unfit`.
  const Unfit* findUnfit(std::uint64_t incarnation) const;
};

// Returns which sources are there, and what is missing.  Called only when no serving member of
// `current` runs.
//
// The keys of `told` are incarnations of serving members of `current`.  `bound` is what is known to
// be committed, also from before this master started.  The bounds of the nodes that are back count
// as well.
Outage assess(const Configuration& current, const std::vector<Returned>& returned,
              const std::map<std::uint64_t, Told>& told, const Bound& bound = {});

// Returns the configuration of the sources, all serving; Unchanged if there are none.
Decision restarted(const Configuration& current, const Outage& outage);

// Says, for the operator, what is awaited, which nodes can go on, and which cannot be the source
// and why.  If none can go on, it names the command that goes on with less.
std::string describe(const Configuration& current, const Outage& outage);

// Returns the configuration of `source` alone, on an operator's order, whatever it lacks (R11).
// All that others hold beyond its log is given up.
Configuration recovered(const Configuration& current, const Candidate& source);
// Returns the names of the serving members of `current` on other data directories.  What only they
// have is lost if the chain goes on from `source` alone.
std::vector<std::string> lostWith(const Configuration& current, const Member& source);

}  // namespace gavel::master
