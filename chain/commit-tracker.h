#pragma once

#include <cstdint>

#include "topology/configuration.h"

namespace gavel::chain {

// Which entries are durable where, as far as one node knows, and what is committed: the numbers of
// R5 and R9.
//
// Invariant: numbers from neighbours belong to one epoch and are forgotten with it.  This
// node's own durable index and its commit index never decrease, except where it drops what
// it has (restart()).
//
// Pure state: no clock, I/O or promises.
class CommitTracker {
public:
  CommitTracker() = default;

  // Begins anew, with a log that is durable up to `durable` and known to be committed
  // up to `commit`.
  void restart(std::uint64_t durable, std::uint64_t commit);

  // A configuration was adopted in which this node has `role`.  Its log ends at `logEnd`.
  void adopt(Role role, std::uint64_t logEnd);

  // This node's disk holds everything up to `index`.
  void persisted(std::uint64_t index);
  // The predecessor reported that everything up to `index` is durable on all nodes upstream.
  void heardUpstream(std::uint64_t index);
  // A neighbour reported that everything up to `index` is committed.  It is the successor, or for a
  // syncing member the tail, whose number may be ahead of what this node has.
  void heardCommit(std::uint64_t index);

  // -- at the tail, of the syncing member (R9)

  // It has attached anew: what it reported before does not count any more.
  void joinerAttached();
  void joinerPersisted(std::uint64_t index);
  // From now on, until another configuration is adopted, nothing is committed that the joiner does
  // not have on its disk.
  void gate();
  bool gated() const { return gated_; }
  std::uint64_t joinerDurable() const { return joinerDurable_; }
  // Whether the gate may be reported: this node is past its own barrier, and the durable index that
  // the joiner has reported since it attached reaches what is committed (R9.3).
  bool gateHolds() const;

  // What to report to the successor: the index up to which all nodes upstream of it are durable.  0
  // until the predecessor's number was heard in this epoch (R5).
  std::uint64_t toSuccessor() const;

  std::uint64_t durable() const { return durable_; }
  std::uint64_t commit() const { return commit_; }
  // What was heard, or decided, to be committed in the configuration adopted last.  What earlier
  // ones committed may have been given up by an operator's order since (R11), or committed by too
  // few members (R18).
  std::uint64_t committedHere() const { return committedHere_; }

  // As tail: whether the log end that it had when it adopted its configuration is committed (R6).
  // Before that it may lack what an earlier tail has answered from.
  bool pastBarrier() const { return commit_ >= barrier; }

private:
  Role role = Role::waiting;
  std::uint64_t durable_ = 0;
  std::uint64_t upstream = 0;
  std::uint64_t heardCommit_ = 0;
  std::uint64_t commit_ = 0;
  std::uint64_t committedHere_ = 0;
  std::uint64_t barrier = 0;
  bool gated_ = false;
  std::uint64_t joinerDurable_ = 0;

  void decide();
};

}  // namespace gavel::chain
