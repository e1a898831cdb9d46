#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <kj/common.h>
#include <kj/time.h>

#include "master/membership.h"

namespace gavel::master {

// What a member says of what it sends to a neighbour (R6).
struct LinkReport {
  enum class State : std::uint8_t { works, pathDead, processSlow };

  std::uint64_t epoch = 0;
  std::uint64_t reporter = 0;  // Incarnations.
  std::uint64_t peer = 0;
  bool toSuccessor = true;
  State state = State::works;
  kj::Duration lasting = 0 * kj::SECONDS;
  bool gating = false;  // The reporter is the tail, and gates the peer.
};

// The links that members of the epoch in force report.  Two ends, or two directions, that report
// one pair are one link.
//
// A report is not acted upon by itself: a member that is gone looks like a link that does not work.
// It is confirmed once both ends were heard since it came, and have answered a probe that began
// since; and not long ago, as either may be gone a moment later.
//
// A report ends with its epoch, with a member that leaves it, when its reporter says that the link
// works, or tells it no more.
//
// Pure: no clock, I/O or promises.  `now` never goes backwards.
class LinkReports {
public:
  struct Link {
    std::uint64_t a, b;   // Incarnations, the smaller first.
    kj::TimePoint since;  // That it does not work.
    kj::TimePoint came;   // The first report that lasts.
    std::string cause;    // For people, with names.
    bool gating = false;
  };

  explicit LinkReports(kj::Duration suspectAfter): suspectAfter(suspectAfter) {}

  // Returns whether something is new.  Ignored unless it is about neighbours in `current`.
  bool report(const LinkReport& report, const Configuration& current, kj::TimePoint now);
  // The member has sent a heartbeat.
  void heard(std::uint64_t incarnation, kj::TimePoint now);
  // It has answered a probe that began at `began`.
  void answered(std::uint64_t incarnation, kj::TimePoint began);
  // Forgets what is of another epoch than `current`'s, of those who are `lost`, or not told any
  // more.
  void prune(const Configuration& current, const std::set<std::uint64_t>& lost, kj::TimePoint now);

  // One for each pair that is reported.
  std::vector<Link> links() const;
  bool isReported(std::uint64_t a, std::uint64_t b) const;
  bool isConfirmed(const Link& link, kj::TimePoint now) const;
  // Ends of links whose answer is awaited, or too old.
  std::set<std::uint64_t> toProbe(kj::TimePoint now) const;

private:
  struct Key {
    std::uint64_t reporter, peer;
    bool toSuccessor;
    auto operator<=>(const Key&) const = default;
  };
  struct Told {
    kj::TimePoint since, came, last;
    std::string cause;
    bool gating;
  };
  struct End {
    kj::Maybe<kj::TimePoint> heard;
    kj::Maybe<kj::TimePoint> answered;  // When the probe began.
  };

  kj::Duration suspectAfter;
  std::uint64_t epoch = 0;
  std::map<Key, Told> told;
  std::map<std::uint64_t, End> ends;  // Of members that are reported about.

  kj::Duration freshness() const { return suspectAfter / 2; }
  bool isFresh(const kj::Maybe<kj::TimePoint>& moment, kj::TimePoint came, kj::TimePoint now) const;
};

}  // namespace gavel::master
