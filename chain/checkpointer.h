#pragma once

#include <cstdint>
#include <vector>

#include <kj/async.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "auction/state.h"
#include "base/turn-budget.h"
#include "log/recent-log.h"
#include "store/store.h"

namespace gavel::chain {

// Decides when a new checkpoint of the state is made (see docs/design.md, 'Checkpoints'): after
// `everyBytes` of log, so that an auction with many bids is stored once for all of them.  It is
// earlier if so many records have changed that storing them would hold up the log for long, or if
// many auctions were closed, on which nobody will bid again.
//
// What has changed is encoded at once, since the state goes on.  It is stored only when it is
// committed, since the head's state is ahead of that.  What is stored need not stay in memory.
//
// One checkpoint is under way at a time, so a slow disk makes them larger, not more.  However large
// it is, it takes no turn for long: it is encoded in slices, and what it has stored is forgotten in
// slices (R16).
class Checkpointer final: private kj::TaskSet::ErrorHandler {
public:
  // References outlive this object.  `again` has consider() called, in a turn of its own.
  Checkpointer(Store& store, auction::State& state, kj::Timer& timer, std::size_t everyBytes,
               WorkPace pace, kj::Function<void()> again);
  KJ_DISALLOW_COPY(Checkpointer);

  // Index of the newest checkpoint that was stored, or is being written.
  std::uint64_t newest() const { return begun; }

  // Whether there is enough for a checkpoint, and none is under way.  Then the next one begins as
  // soon as the state is as of a batch's end.
  bool isDue() const;

  // `auctions` more were closed by their deadlines.
  void closed(std::size_t auctions) { closedSince += auctions; }

  // `bytes` of log were added.
  void logged(std::size_t bytes) { pendingBytes += bytes; }

  // Resolves once a checkpoint is stored that holds everything up to `index`, which is in the
  // state, however idle the chain is from now on.  The caller has to call consider().
  kj::Promise<void> whenStored(std::uint64_t index);

  // The state was applied further, or more is committed.
  void consider(const RecentLog& log, std::uint64_t commit);

  // The state was replaced by that of the store's newest checkpoint, at `index`, with `bytes` of
  // log after it.
  void restart(std::uint64_t index, std::size_t bytes);

private:
  // The steps of a checkpoint, one after the other.
  enum class Step {
    none,
    capturing,
    captured,  // To be written once it is committed.
    writing,
    releasing,
  };
  struct Waiter {
    std::uint64_t index;
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;
  };

  Store& store;
  auction::State& state;
  kj::Timer& timer;
  const std::size_t everyBytes;
  kj::Function<void()> again;
  TurnBudget budget;
  std::size_t pendingBytes = 0;  // Bytes of log since the last capture.
  std::size_t closedSince = 0;   // Auctions closed since then.
  std::uint64_t round = 0;       // Grows with each restart().
  std::uint64_t stored = 0;      // Index of the newest checkpoint.
  std::uint64_t begun = 0;       // Index of the newest one given to the store.
  std::vector<Waiter> waiters;   // They wait for a higher `stored`.
  Step step = Step::none;
  Position at;               // The position of the one under way.
  auction::Changes changes;  // Those of the one under way; without records once these are written.
  std::size_t released = 0;  // How many of them are released.
  kj::TaskSet tasks;

  void capture();
  void write();
  void written();
  void release();
  void later(kj::Function<void()> next);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::chain
