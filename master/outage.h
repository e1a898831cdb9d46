#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "master/membership.h"

// How the chain comes back after a total outage (R11).  Pure: no clock, I/O or promises.
//
// When no serving member of the stored configuration runs any more, it is followed by one of
// restarted members.  Why that is safe, though a member that is merely silent may be alive behind a
// partition:
//
// - Let e be the stored epoch.  An entry that was ever acknowledged is durable on every serving
// member
//   of e: entries committed in e by the definition of commit, older ones because the members of e
//   served before, and a joiner came to serve by a gate of the very epoch before (R9), behind which
//   nothing was committed without it.  So the disk of each serving member, and of nobody else for
//   certain, holds all of them, unless it lost what it had synced.
// - The old incarnation of a source S has ended: a new process holds its data directory, and the
//   probe of its old address did not find it.  Nothing is committed in e from then on, as that
//   takes S's durable index, which nobody tells any more (R5).  What was committed on an index that
//   the old process had told is on S's disk, as it told only what was synced.
// - Nobody answers a query in e from then on either, as each answer takes the word of every serving
//   member that it is still in e (R10), S among them.
// - Members that are alive after all learn of the later epoch when they are heard again, and rejoin
// by
//   R9; what they hold beyond the sources' logs was never acknowledged.
// - In e, and since restarts are new incarnations, the logs of the serving members are prefixes of
// each
//   other.  Ordered by length, longest first, each is a prefix of its predecessor's, as R4 wants.
//
// Hence one source is enough, and it is only to keep the chain long, and out of caution, that the
// master waits for the others for a while.  A node that was not serving in e is no source whatever
// its log holds: e may have committed without it.
namespace gavel::master {

// A registered node that is heard.
struct Returned {
  Candidate candidate;
  // Whether the incarnation that its data directory had in the stored configuration has certainly
  // ended.
  bool oldEnded = false;
  // What is said of another process on a copy of its data directory, which has not ended either
  // (copies.h); empty: there is none.
  std::string copy = {};
};

// What the serving members of the stored configuration said before they were lost, as far as this
// master has heard it.
struct Told {
  std::uint64_t durable = 0;  // Highest index on its disk.
  std::uint64_t commit = 0;   // Highest commit index it knew of.
  bool unsynced = false;      // It ran with --sync=never.
};

struct Outage {
  // Serving members whose data directory is not back.
  std::vector<Member> awaited;
  // Those that can go on, in the order in which they would: longest log first.
  std::vector<Member> sources;
  // Registered nodes that cannot be a source, and why.
  struct Unfit {
    Member member;
    std::string why;
    // It is not its fault: it may become one by itself.
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

// What is there and what is missing.  To be asked only when no serving member of `current` runs.
//
// `told` is by the incarnation of a serving member of `current`; `bound` is what is known to be
// committed, be it from before this master started.  What the nodes that are back know of that
// themselves counts as well.
Outage assess(const Configuration& current, const std::vector<Returned>& returned,
              const std::map<std::uint64_t, Told>& told, const Bound& bound = {});

// The configuration of the sources, all serving.
Decision restarted(const Configuration& current, const Outage& outage);

// For the operator: what is awaited, who cannot be the source and why, and the command that goes on
// with less.
std::string describe(const Configuration& current, const Outage& outage);

// The configuration of `source` alone, on an operator's order, whatever it lacks (R11): all that
// others hold beyond its log is given up.
Configuration recovered(const Configuration& current, const Candidate& source);
// The names of the serving members of `current` on other data directories: what only they have is
// lost with that.
std::vector<std::string> lostWith(const Configuration& current, const Member& source);

}  // namespace gavel::master
