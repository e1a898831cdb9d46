#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <kj/common.h>
#include <kj/time.h>

namespace gavel::master {

// The result of asking at a node's address which process answers there.
enum class ProbeResult : std::uint8_t {
  alive,         // The incarnation that was asked for answers.
  refused,       // Nobody listens there.
  unreachable,   // The address does not resolve, or there is no way to it.
  other,         // Another process answers there.
  silent,        // No answer within the deadline.
  inconclusive,  // It says nothing about the node: this process is out of file descriptors, say.
};

// Which nodes are suspected, and of what (docs/design.md, "Suspicion").  A node is lost
//
// 1. when its connection has dropped, and it cannot be reached again at once, or does not register
//    again within `suspectAfter`;
// 2. when it is connected, and has not been heard for `suspectAfter`;
// 3. when a neighbour reports it, and it cannot be reached from here either;
// 4. when a newer process has taken its data directory over (R2);
// 5. when it is syncing, and the tail has reported it again and again for `patience()`, even if it
//    can be reached from elsewhere: it stands in the way of others, and, once gated, of every bid.
//
// Suspicion may be wrong.  That costs a rejoin, and safety does not depend on it.  A lost node that
// is heard again is live.  A lost node that has to stay a member is asked again, and is live if it
// answers: if there are several masters, it may have registered with another one.
//
// This process may itself have been paused, and must not take its own silence for that of the
// nodes.  So a gap in the series of calls gives all of them a fresh grace.
//
// Pure: no clock, I/O or promises.  `now` never goes backwards.  Nodes are named by incarnation;
// calls about unknown ones do nothing.
class Suspicion {
public:
  struct Loss {
    std::string cause;
    kj::TimePoint since;  // When the suspicion arose.
  };

  // One question to a node's address.  Each has an `id` of its own.
  struct Probe {
    std::uint64_t incarnation;
    std::uint64_t id;
  };

  explicit Suspicion(kj::Duration suspectAfter);

  // Returns the interval at which check() is to be called.
  kj::Duration checkEvery() const { return suspectAfter / 20; }
  // Returns how long a tail may report its syncing member before that is lost.
  kj::Duration patience() const { return 5 * suspectAfter; }
  // Returns the deadline of a probe.
  kj::Duration probeTimeout() const { return suspectAfter / 4; }

  // Called before any other method in each turn of the event loop, with nanoseconds since boot.
  // Returns whether this process has just woken from a pause.
  bool awake(kj::TimePoint now, std::int64_t sinceBoot);

  // A member of the stored configuration is not heard yet.  It gets `suspectAfter` to register.
  // Then it is probed until it registers, and stays as long as it answers.
  void expect(std::uint64_t incarnation, kj::TimePoint now);
  void registered(std::uint64_t incarnation, kj::TimePoint now);
  void heard(std::uint64_t incarnation, kj::TimePoint now);
  void dropped(std::uint64_t incarnation, kj::TimePoint now);
  // Asks for a probe.  `why` ("reported by n1") begins the cause of the loss if the probe confirms
  // it.
  void doubt(std::uint64_t incarnation, std::string why, kj::TimePoint now);
  // A lost node has to stay a member.  It is asked whether it is alive after all, at most once in
  // `suspectAfter`.  If it answers, it is expected, as after expect().
  void askAgain(std::uint64_t incarnation, kj::TimePoint now);
  // The tail cannot reach the syncing member, for the reason `why`.
  void reportedByTail(std::uint64_t incarnation, std::string why, kj::TimePoint now);
  // Another epoch is in force: the tail's reports in the one before do not count in it.
  void forgetReports();
  // The node is lost for good: what is still heard of the old process is from before its end.  Its
  // address is probed all the same until it is certain that it has ended(), as its data directory
  // may have been copied.
  void superseded(std::uint64_t incarnation, kj::TimePoint now);
  void forget(std::uint64_t incarnation) { nodes.erase(incarnation); }
  // Forgets all nodes but `known`.
  void retain(const std::set<std::uint64_t>& known);

  // Judges silence at `now`.
  void check(kj::TimePoint now);

  // Returns the probes to be made now.  The caller starts them, and reports each result by
  // probed().
  std::vector<Probe> takeProbes(kj::TimePoint now);
  void probed(const Probe& probe, ProbeResult result, kj::TimePoint now);

  // Returns the loss of the node; null while it is not lost.
  kj::Maybe<const Loss&> lost(std::uint64_t incarnation) const;
  // Whether it is superseded, and a later probe did not find it at its address.
  bool ended(std::uint64_t incarnation) const;
  // Whether it is superseded, and has answered the last probe at its address: two processes run on
  // copies of one data directory.
  bool answersStill(std::uint64_t incarnation) const;
  // Whether a probe of it is under way.
  bool inDoubt(std::uint64_t incarnation) const;
  // Whether it is not registered with this master, and is not lost: it only has to answer.
  bool isExpected(std::uint64_t incarnation) const;
  // Whether it was heard within `suspectAfter`, and is not lost.
  bool isHeard(std::uint64_t incarnation, kj::TimePoint now) const;
  // Returns null if it was never heard.
  kj::Maybe<kj::TimePoint> lastHeard(std::uint64_t incarnation) const;

private:
  enum class Link : std::uint8_t { expected, connected, dropped };

  struct Node {
    Link link;
    kj::TimePoint grace;  // Silence counts from this time on.
    kj::Maybe<kj::TimePoint> heard;
    kj::Maybe<kj::TimePoint> nextProbe;  // A probe is wanted, not before this.
    kj::Maybe<kj::TimePoint> lastProbe;  // When the last one was started.
    std::uint64_t probing = 0;           // Id of the probe under way.
    bool disturbed = false;              // This process was paused during that probe.
    bool superseded = false;
    bool ended = false;                      // It is superseded, and a probe did not find it.
    bool answersStill = false;               // It is superseded, and the last probe found it.
    kj::Maybe<kj::TimePoint> reportedSince;  // When the tail's reports began.
    kj::Maybe<kj::TimePoint> lastReport;
    std::string doubt;  // Why it is probed.
    kj::TimePoint doubtedSince;
    kj::Maybe<Loss> loss;

    Node(Link link, kj::TimePoint now): link(link), grace(now), doubtedSince(now) {}
  };

  kj::Duration suspectAfter;
  kj::Maybe<std::int64_t> lastAwake;
  std::map<std::uint64_t, Node> nodes;
  std::uint64_t lastProbeId = 0;

  Node* find(std::uint64_t incarnation);
  const Node* find(std::uint64_t incarnation) const;
  void wantProbe(Node& node, std::string why, kj::TimePoint since, kj::TimePoint now);
  static void lose(Node& node, std::string cause, kj::TimePoint since);
  void checkSilence(Node& node, kj::TimePoint now);
};

}  // namespace gavel::master
