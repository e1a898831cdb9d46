#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <kj/common.h>
#include <kj/time.h>

namespace gavel::master {

// What came of asking a node's address who answers there.
enum class ProbeResult : std::uint8_t {
  alive,         // The incarnation that was asked for.
  refused,       // Nobody listens there.
  unreachable,   // The address does not resolve, or there is no way to it.
  other,         // Another process answers there.
  silent,        // No answer within the deadline.
  inconclusive,  // It tells nothing about the node (this process is out of file descriptors, say).
};

// Which nodes are suspected, and of what (design.md §5).  A node is lost
//  (a) when its connection has dropped, and it cannot be reached again at once, or does not
//  register
//      again within `suspectAfter`;
//  (b) when it is connected, and has not been heard for `suspectAfter`;
//  (c) when a neighbour reports it, and it cannot be reached from here either;
//  (d) when a newer process has taken its data directory over (R2).
//  (e) when it is syncing, and the tail has reported it again and again for `patience()`, wherever
//      else it can be reached from: it stands in the way of others, and, gated, of every bid.
// Suspicion may be wrong: it costs a rejoin, and safety does not depend on it.  Hearing from a lost
// node again makes it a live one.  So does its answer, where a lost node has to stay a member, and
// is asked again: of several masters, it may have registered with another one meanwhile.
//
// This process may itself have been paused, and must not take its own silence for that of the
// nodes: a gap in the series of calls gives all of them a fresh grace.
//
// Pure: no clock, I/O or promises.  `now` never goes backwards.  Nodes are named by incarnation;
// calls about unknown ones do nothing.
class Suspicion {
public:
  struct Loss {
    std::string cause;
    kj::TimePoint since;  // When the suspicion arose.
  };

  // One question to a node's address.  `id` is never used again.
  struct Probe {
    std::uint64_t incarnation;
    std::uint64_t id;
  };

  explicit Suspicion(kj::Duration suspectAfter);

  // How often check() wants to be called.
  kj::Duration checkEvery() const { return suspectAfter / 20; }
  // How long a tail may go without its syncing member.
  kj::Duration patience() const { return 5 * suspectAfter; }
  // The deadline of a probe.
  kj::Duration probeTimeout() const { return suspectAfter / 4; }

  // To be called before any other method in each turn of the event loop, with nanoseconds since
  // boot. Returns whether this process has just woken from a pause.
  bool awake(kj::TimePoint now, std::int64_t sinceBoot);

  // A member of the stored configuration, not heard yet since this process started.  It gets
  // `suspectAfter` to register; then it is probed until it does, and stays as long as it answers.
  void expect(std::uint64_t incarnation, kj::TimePoint now);
  void registered(std::uint64_t incarnation, kj::TimePoint now);
  void heard(std::uint64_t incarnation, kj::TimePoint now);
  void dropped(std::uint64_t incarnation, kj::TimePoint now);
  // `why` ("reported by n1") is the beginning of the cause if the probe confirms it.
  void doubt(std::uint64_t incarnation, std::string why, kj::TimePoint now);
  // A lost node has to stay a member.  It is asked whether it lives after all, at most once in
  // `suspectAfter`; if it answers, it is expected, as after expect().
  void askAgain(std::uint64_t incarnation, kj::TimePoint now);
  // The tail cannot reach the syncing member, for the reason `why`.
  void reportedByTail(std::uint64_t incarnation, std::string why, kj::TimePoint now);
  // Another epoch is in force: what was reported in the one before counts no more.
  void forgetReports();
  // Final: what is still heard of the old process was said before its end.  Its address is probed
  // nevertheless, until it is certain that it has ended(): its data directory may have been copied.
  void superseded(std::uint64_t incarnation, kj::TimePoint now);
  void forget(std::uint64_t incarnation) { nodes.erase(incarnation); }
  // Forgets all but `known`.
  void retain(const std::set<std::uint64_t>& known);

  // Time has passed.
  void check(kj::TimePoint now);

  // The probes to be made now.  The caller starts them, and tells of each by probed().
  std::vector<Probe> takeProbes(kj::TimePoint now);
  void probed(const Probe& probe, ProbeResult result, kj::TimePoint now);

  // Null while the node is not lost.
  kj::Maybe<const Loss&> lost(std::uint64_t incarnation) const;
  // Whether it was superseded, and was not found at its address since.
  bool ended(std::uint64_t incarnation) const;
  // Whether it was superseded, and has answered at its address since: two processes run on copies
  // of one data directory.
  bool answersStill(std::uint64_t incarnation) const;
  // Whether an answer to a probe of it is awaited.
  bool inDoubt(std::uint64_t incarnation) const;
  // Whether it has not registered with this master, and is not lost: it only has to answer.
  bool isExpected(std::uint64_t incarnation) const;
  // Heard within `suspectAfter`, and not lost.
  bool isHeard(std::uint64_t incarnation, kj::TimePoint now) const;
  // Null if it was never heard.
  kj::Maybe<kj::TimePoint> lastHeard(std::uint64_t incarnation) const;

private:
  enum class Link : std::uint8_t { expected, connected, dropped };

  struct Node {
    Link link;
    kj::TimePoint grace;  // Silence counts from here on.
    kj::Maybe<kj::TimePoint> heard;
    kj::Maybe<kj::TimePoint> nextProbe;  // Wanted, and not before this.
    kj::Maybe<kj::TimePoint> lastProbe;  // When the last one was started.
    std::uint64_t probing = 0;           // Id of the probe under way.
    bool disturbed = false;              // This process was paused during that probe.
    bool superseded = false;
    bool ended = false;                      // Superseded, and a probe did not find it.
    bool answersStill = false;               // Superseded, and the last probe found it.
    kj::Maybe<kj::TimePoint> reportedSince;  // By the tail, without a pause.
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
