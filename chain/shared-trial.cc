#include "chain/shared-trial.h"

#include <kj/debug.h>

namespace gavel::chain {

SharedTrial::SharedTrial(kj::Timer& timer, kj::Duration pause,
                         kj::Function<kj::Promise<void>()> attempt)
    : timer(timer),
      pause(pause),
      attempt(kj::mv(attempt)),
      mayBegin(timer.now()),
      underWay(kj::Promise<void>(kj::READY_NOW).fork()) {}

kj::Promise<void> SharedTrial::run() {
  KJ_IF_MAYBE (waiting, next) {
    return waiting->addBranch();
  }
  // Only those who asked for the one before hear how it went.
  auto before = underWay.addBranch().catch_([](kj::Exception&&) {});
  auto begun = before.then([this]() { return timer.atTime(mayBegin); }).then([this]() {
    underWay = kj::mv(KJ_ASSERT_NONNULL(next));
    next = nullptr;
    mayBegin = timer.now() + pause;
    return attempt();
  });
  return next.emplace(begun.fork()).addBranch();
}

}  // namespace gavel::chain
