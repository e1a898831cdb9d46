#pragma once

#include <vector>

#include <kj/async.h>
#include <kj/timer.h>

#include "topology/configuration.h"

namespace gavel::chain {

// The error for those who wait for something of an epoch that is over for this node.
kj::Exception relinked();

// Chain confirm (R10).  By it a node learns, without trusting any clock, that no configuration
// after its own can have committed anything yet, and what is committed in its own.
//
// A confirm is one small call up to the head and one down to the tail, from node to node on the
// links of the epoch.  Each node says by its answer that it is still in that epoch.  The next
// configuration's members are among those asked, so none of them has left the epoch.  The tail's
// answer carries its commit index.  A tail that gates a joiner asks the joiner as well, since that
// may be in the next configuration too.
//
// Invariants:
// - A confirm answers only those who asked before it began, in the epoch in which it began.
// - A node that is asked by another asks onward anew.  It never joins a confirm under way, which
//   may have passed a node further on before the asker's question was asked.
//
// Those who ask while a confirm is under way share the next one, so queries cost one confirm per
// batch and not one each.
class ChainConfirm final: private kj::TaskSet::ErrorHandler {
public:
  // The replica.  Outlives this.
  class Host {
  public:
    // `waiting` while it acts in no configuration.
    virtual Role role() const = 0;
    // Ask one neighbour for its word.  They wait until there is a link to it.
    virtual kj::Promise<void> confirmByPredecessor() = 0;
    virtual kj::Promise<std::uint64_t> confirmBySuccessor() = 0;
    // As tail: resolves once this node is past its barrier (R6).
    virtual kj::Promise<void> whenPastBarrier() = 0;
    virtual bool gating() const = 0;
    // While its disk hangs, this node confirms nothing: what is committed does not reach
    // that disk (R12).
    virtual bool diskHangs() const = 0;
    virtual std::uint64_t commitIndex() const = 0;
    // The tail said that everything up to `index` is committed.
    virtual void confirmedCommit(std::uint64_t index) = 0;
  };

  ChainConfirm(Host& host, kj::Timer& timer);
  KJ_DISALLOW_COPY(ChainConfirm);

  // Resolves once a confirm that began after this call has come back, and the host has got the
  // commit index that it brought.  Fails with OVERLOADED if this node is no serving member, if it
  // stops acting in its configuration meanwhile, or if the chain does not answer in time.
  kj::Promise<void> confirmed();
  // How many wait for a confirm to begin.
  std::size_t waiting();

  // What this node answers to its successor, and to its predecessor.  The caller has checked that
  // the question belongs to the epoch in which this node acts.
  kj::Promise<void> upward();
  kj::Promise<std::uint64_t> downward();

  // A link was made anew.  What was asked over the one before may never be answered, so what is
  // under way fails, and the next confirm begins.
  void interrupt();
  // The node leaves its configuration: all who wait fail with relinked().
  void stop();

private:
  using Asker = kj::Own<kj::PromiseFulfiller<void>>;

  Host& host;
  kj::Timer& timer;
  std::vector<Asker> next;      // They wait for the next confirm.
  std::vector<Asker> underWay;  // They wait for the answer of this one.
  bool scheduled = false;       // One is under way, or begins at the end of this turn.
  kj::Canceler canceler;        // For all that belongs to the epoch.
  kj::TaskSet tasks;

  static kj::Promise<void> join(std::vector<Asker>& askers);
  void schedule();
  kj::Promise<void> run();
  kj::Promise<void> ask();
  kj::Promise<std::uint64_t> answerAsTail();
  void answer(kj::Maybe<kj::Exception> failure);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::chain
