#pragma once

#include <cstdint>

#include "chain/configuration.h"

namespace gavel::chain {

// Which entries are durable where, as far as one node knows, and what is committed: the numbers of
// R5.
//
// Durable numbers from neighbours belong to one epoch and are forgotten with it; this node's own
// durable index and its commit index never decrease.
// Pure state: no clock, I/O or promises.
class CommitTracker {
public:
  // A configuration was adopted in which this node has `role`, with `logEnd` the end of its log.
  void adopt(Role role, std::uint64_t logEnd);

  // This node's disk holds everything up to `index`.
  void persisted(std::uint64_t index);
  // The predecessor said that everything up to `index` is durable on all nodes upstream.
  void heardUpstream(std::uint64_t index);
  // The successor said that everything up to `index` is committed.
  void heardCommit(std::uint64_t index);

  // What to tell the successor: durable on all nodes upstream of it.  0 until the predecessor's
  // number was heard in this epoch (R5).
  std::uint64_t toSuccessor() const;

  std::uint64_t durable() const { return durable_; }
  std::uint64_t commit() const { return commit_; }

  // As tail: the log end it had when it adopted its configuration is committed (R6), so that what
  // an earlier tail may have answered from is not missing here.
  bool pastBarrier() const { return commit_ >= barrier; }

private:
  Role role = Role::waiting;
  std::uint64_t durable_ = 0;
  std::uint64_t upstream = 0;
  std::uint64_t commit_ = 0;
  std::uint64_t barrier = 0;

  void decide();
};

}  // namespace gavel::chain
