#pragma once

#include <kj/async.h>
#include <kj/timer.h>

namespace gavel::chain {

// Something that may be asked for by many, and costs too much to be done for each: at most one is
// under way, the next begins no sooner than a pause after that one began, and all who asked in
// between share it.  So nobody is told of one that began before they asked.
class SharedTrial final {
public:
  // `attempt` is called once for each trial.  `timer` must outlive this object.
  SharedTrial(kj::Timer& timer, kj::Duration pause, kj::Function<kj::Promise<void>()> attempt);
  KJ_DISALLOW_COPY(SharedTrial);

  // Resolves, or fails, as the next trial does.  To be dropped before this object.
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
