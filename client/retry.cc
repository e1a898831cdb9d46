#include "client/retry.h"

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel::client {

struct Retry::Attempt: public kj::Refcounted {
  kj::Own<kj::PromiseFulfiller<void>> failed;
  // Resolves when the attempt has failed; never, if it settled the call.  It is destroyed before
  // its fulfiller: otherwise that would make an exception, with a stack trace, for each call that
  // succeeds.
  kj::ForkedPromise<void> over = nullptr;
  kj::TimePoint patienceEnds;
  std::uint64_t epoch = 0;
  kj::Maybe<kj::Own<Peer>> peer;  // Null until it is connected.

  explicit Attempt(kj::TimePoint patienceEnds): patienceEnds(patienceEnds) {}
};

Retry::Retry(ChainLocator& locator, kj::Timer& timer, Random& random, Route route, Limits limits,
             Send send)
    : locator(locator),
      timer(timer),
      random(random),
      route(kj::mv(route)),
      limits(limits),
      send(kj::mv(send)),
      tasks(*this) {}

kj::Promise<bool> Retry::run(kj::TimePoint deadline_) {
  deadline = deadline_;
  auto paf = kj::newPromiseAndFulfiller<bool>();
  settled = kj::mv(paf.fulfiller);
  tasks.add(drive());
  return kj::mv(paf.promise);
}

kj::Promise<void> Retry::drive() {
  if (attemptsInEpoch == 0) epoch = locator.epoch();
  auto attempt = start();
  return watch(kj::mv(attempt)).then([this]() { return pause(); }).then([this]() {
    return drive();
  });
}

// Called only once the first look around is due or the first attempt has failed.  A timer for each
// call that succeeds would cost more than anything else here.
void Retry::mindDeadline() {
  if (mindsDeadline) return;
  mindsDeadline = true;
  tasks.add(timer.atTime(deadline).then([this]() { settled->fulfill(false); }));
}

kj::Own<Retry::Attempt> Retry::start() {
  unsigned number = attemptsInEpoch++;
  auto attempt = kj::refcounted<Attempt>(timer.now() + patienceFor(number));
  attempt->epoch = locator.epoch();
  auto paf = kj::newPromiseAndFulfiller<void>();
  attempt->over = paf.promise.fork();
  attempt->failed = kj::mv(paf.fulfiller);

  tasks.add(locator.node(route, number)
                .then([this, attempt = kj::addRef(*attempt)](kj::Own<Peer> peer) mutable {
                  // This may have been unknown before, if this attempt was the first to ask for the
                  // configuration.
                  attempt->epoch = locator.epoch();
                  epoch = kj::max(epoch, attempt->epoch);
                  auto& used = *peer;
                  attempt->peer = kj::mv(peer);
                  return kj::evalNow([&]() { return send(used.auctioneer()); })
                      .catch_([this, &used](kj::Exception&& exception) -> bool {
                        locator.complain(used, exception);
                        kj::throwFatalException(kj::mv(exception));
                      })
                      .attach(kj::mv(attempt));
                })
                .then(
                    [this, attempt = kj::addRef(*attempt)](bool done) mutable {
                      if (done) {
                        settled->fulfill(true);
                      } else {
                        attempt->failed->fulfill();
                      }
                    },
                    [this, attempt = kj::addRef(*attempt)](kj::Exception&& exception) mutable {
                      auto reason = reasonOf(exception);
                      logDebug("an attempt failed", {{"reason", reason}});
                      // That a master serves no auctions is not the problem.
                      if (exception.getType() != kj::Exception::Type::UNIMPLEMENTED) {
                        problem = kj::mv(reason);
                      }
                      attempt->failed->fulfill();
                    }));
  return attempt;
}

kj::Duration Retry::patienceFor(unsigned attempt) const {
  bool preferring = route.to == Route::To::head || route.to == Route::To::tail;
  return preferring && attempt % 2 == 1 ? limits.detourPatience : limits.patience;
}

// Waits until `attempt` is over, or it is time for another one beside it.
kj::Promise<void> Retry::watch(kj::Own<Attempt> attempt) {
  auto wait = kj::min(limits.lookAround,
                      kj::max(attempt->patienceEnds - timer.now(), 1 * kj::MILLISECONDS));
  if (!mindsDeadline) wait = kj::min(wait, deadline - timer.now());
  auto look = timer.afterDelay(wait).then([]() { return false; });
  auto over = attempt->over.addBranch().then([]() { return true; });
  return over.exclusiveJoin(kj::mv(look))
      .then([this, attempt = kj::mv(attempt)](bool over) mutable -> kj::Promise<void> {
        mindDeadline();
        if (over) return kj::READY_NOW;
        return locator.refresh().then(
            [this, attempt = kj::mv(attempt)]() mutable -> kj::Promise<void> {
              if (locator.epoch() != attempt->epoch) return kj::READY_NOW;
              if (timer.now() < attempt->patienceEnds) return watch(kj::mv(attempt));
              KJ_IF_MAYBE (peer, attempt->peer) {
                problem = kj::str((*peer)->address(), " gave no answer in time");
                locator.overdue(**peer);
              }
              return kj::READY_NOW;
            });
      });
}

// Waits between two attempts.  If the chain has changed, the next one starts at once.
kj::Promise<void> Retry::pause() {
  return locator.refresh().then([this]() -> kj::Promise<void> {
    KJ_IF_MAYBE (why, locator.refusal(route)) {
      refused = kj::mv(*why);
      settled->fulfill(false);
      return kj::NEVER_DONE;
    }
    if (locator.epoch() != epoch) {
      epoch = locator.epoch();
      attemptsInEpoch = 0;
      pauses = 0;
      if (epoch != 0) return kj::READY_NOW;
    }
    return timer.afterDelay(nextPause());
  });
}

kj::Duration Retry::nextPause() {
  auto pause = limits.shortestPause;
  for (unsigned i = 0; i < pauses && pause < limits.longestPause; ++i) pause = pause * 3 / 2;
  ++pauses;
  pause = kj::min(pause, limits.longestPause);
  auto half = pause / kj::NANOSECONDS / 2;
  return half * kj::NANOSECONDS +
         static_cast<std::int64_t>(random.next() % static_cast<std::uint64_t>(half + 1)) *
             kj::NANOSECONDS;
}

void Retry::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "retrying a call failed", exception);
}

}  // namespace gavel::client
