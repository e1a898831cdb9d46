#pragma once

#include <cstdint>

#include "topology/configuration.h"

namespace gavel::chain {

// Which entries are durable where, as far as one node knows, and what is committed: the numbers of
// R5 and R9.
//
// Numbers from neighbours belong to one epoch and are forgotten with it; this node's own durable
// index and its commit index never decrease, except where it drops what it has (restart()).
// Pure state: no clock, I/O or promises.
class CommitTracker {
public:
  CommitTracker() = default;

  // Begins anew, with a log that is durable up to `durable` and known to be committed up to
  // `commit`.
  void restart(std::uint64_t durable, std::uint64_t commit);

  // A configuration was adopted in which this node has `role`, with `logEnd` the end of its log.
  void adopt(Role role, std::uint64_t logEnd);

  // This node's disk holds everything up to `index`.
  void persisted(std::uint64_t index);
  // The predecessor said that everything up to `index` is durable on all nodes upstream.
  void heardUpstream(std::uint64_t index);
  // A neighbour said that everything up to `index` is committed: the successor, or, to a syncing
  // member, the tail, which may be ahead of what this node has.
  void heardCommit(std::uint64_t index);

  // -- at the tail, of the syncing member (R9)

  // It has attached anew: what it told before counts no more.
  void joinerAttached();
  void joinerPersisted(std::uint64_t index);
  // From now on, and until another configuration is adopted, nothing is committed that the joiner
  // has not on disk.
  void gate();
  bool gated() const { return gated_; }
  std::uint64_t joinerDurable() const { return joinerDurable_; }
  // The gate may be reported: this node is past its own barrier, and the joiner, since it attached,
  // has told a durable index that reaches what is committed (R9 b).
  bool gateHolds() const;

  // What to tell the successor: durable on all nodes upstream of it.  0 until the predecessor's
  // number was heard in this epoch (R5).
  std::uint64_t toSuccessor() const;

  std::uint64_t durable() const { return durable_; }
  std::uint64_t commit() const { return commit_; }
  // What was heard, or decided, to be committed in the configuration adopted last.  An operator's
  // order may have given up what earlier ones committed (R11), and those may have had too few
  // members (R18).
  std::uint64_t committedHere() const { return committedHere_; }

  // As tail: the log end it had when it adopted its configuration is committed (R6), so that what
  // an earlier tail may have answered from is not missing here.
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
