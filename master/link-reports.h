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

// What a member reports of its link to a neighbour (R6).
struct LinkReport {
  enum class State : std::uint8_t { works, pathDead, processSlow };

  std::uint64_t epoch = 0;
  std::uint64_t reporter = 0;  // An incarnation, as is `peer`.
  std::uint64_t peer = 0;
  bool toSuccessor = true;
  State state = State::works;
  kj::Duration lasting = 0 * kj::SECONDS;  // How long the state has lasted.
  bool gating = false;                     // The reporter is the tail, and gates the peer.
};

// The broken links that members of the epoch in force report.  Reports of one pair are one link,
// whichever end and direction they are of.
//
// A report alone decides nothing: a member that is gone looks like a link that does not work.  A
// link is confirmed once, since its first report, both ends have sent a heartbeat and have answered
// a probe that began after that report.  Both must be recent (freshness()), as either end may be
// gone a moment later.
//
// A report ends with its epoch, when one of its two members is lost, when its reporter says that
// the link works, or when its reporter stops repeating it.
//
// Pure: no clock, I/O or promises.  `now` never goes backwards.
class LinkReports {
public:
  struct Link {
    std::uint64_t a, b;   // Incarnations, the smaller first.
    kj::TimePoint since;  // When it stopped working.
    kj::TimePoint came;   // When the first of the reports came.
    std::string cause;    // For people, with names.
    bool gating = false;  // The tail reports it, and gates the other end.
  };

  explicit LinkReports(kj::Duration suspectAfter): suspectAfter(suspectAfter) {}

  // Returns whether a report is new, or has ended.  Ignored unless it is about neighbours in
  // `current`.
  bool report(const LinkReport& report, const Configuration& current, kj::TimePoint now);
  // The member has sent a heartbeat.
  void heard(std::uint64_t incarnation, kj::TimePoint now);
  // The member has answered a probe that began at `began`.
  void answered(std::uint64_t incarnation, kj::TimePoint began);
  // Forgets the reports that are of another epoch than `current`'s, that are by or about members in
  // `lost`, or that are not repeated.
  void prune(const Configuration& current, const std::set<std::uint64_t>& lost, kj::TimePoint now);

  // Returns one link for each pair that is reported.
  std::vector<Link> links() const;
  bool isReported(std::uint64_t a, std::uint64_t b) const;
  bool isConfirmed(const Link& link, kj::TimePoint now) const;
  // Returns the ends of links whose answer is missing, or soon too old.
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
  std::map<std::uint64_t, End> ends;  // By incarnation, while there are reports.

  kj::Duration freshness() const { return suspectAfter / 2; }
  bool isFresh(const kj::Maybe<kj::TimePoint>& moment, kj::TimePoint came, kj::TimePoint now) const;
};

}  // namespace gavel::master
