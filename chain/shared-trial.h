#pragma once

#include <kj/async.h>
#include <kj/timer.h>

namespace gavel::chain {

// Something that many may ask for, and that costs too much to do for each of them.  At most one is
// under way, and the next begins no sooner than a pause after that one began.  All who asked in
// between share it, so nobody gets the result of one that began before they asked.
class SharedTrial final {
public:
  // `attempt` is called once for each trial.  `timer` outlives this object.
  SharedTrial(kj::Timer& timer, kj::Duration pause, kj::Function<kj::Promise<void>()> attempt);
  KJ_DISALLOW_COPY(SharedTrial);

  // Resolves, or fails, as the next trial does.  The promise is dropped before this object.
  kj::Promise<void> run();

private:
  kj::Timer& timer;
  const kj::Duration pause;
  kj::Function<kj::Promise<void>()> attempt;
  kj::TimePoint mayBegin;
  kj::ForkedPromise<void> underWay;
  kj::Maybe<kj::ForkedPromise<void>> next;
};

}  // namespace gavel::chain
