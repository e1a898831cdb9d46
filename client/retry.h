#pragma once

#include <kj/function.h>
#include <kj/timer.h>

#include "base/random.h"
#include "client/chain-locator.h"

namespace gavel::client {

// Makes attempts at one call until one settles it or the deadline passes.  `route` says which nodes
// they go to.  If it allows one node only, and that one does not serve in the chain, it gives up at
// once.
//
// An attempt without an answer is not cancelled, as it may still be answered.  After a while
// another one starts beside it, and the first that settles the call ends it.  While attempts wait,
// the configuration is asked for now and then.  When the epoch changes, the next attempt starts at
// once.  So a killed head costs no more than the time that the chain needs for a new one plus a
// back-off, and a paused head little more.
class Retry final: private kj::TaskSet::ErrorHandler {
public:
  struct Limits {
    // Time for an attempt at the preferred node before another one starts.
    kj::Duration patience = 1 * kj::SECONDS;
    // The same at any other node, if one is preferred.  These are only tried when something is
    // wrong.
    kj::Duration detourPatience = 300 * kj::MILLISECONDS;
    // How often a waiting call checks whether the chain has changed.
    kj::Duration lookAround = 250 * kj::MILLISECONDS;
    // The pause between attempts.  Each is half as long again as the one before, less up to half of
    // it at random.
    kj::Duration shortestPause = 10 * kj::MILLISECONDS;
    kj::Duration longestPause = 200 * kj::MILLISECONDS;
  };

  // Sends one attempt to a node and reports whether its answer settles the call.  The promise must
  // not use the node once `send` has returned.
  using Send = kj::Function<kj::Promise<bool>(schema::Auctioneer::Client&)>;

  // `locator`, `timer`, `random` and what `send` refers to must outlive this object.
  Retry(ChainLocator& locator, kj::Timer& timer, Random& random, Route route, Limits limits,
        Send send);
  KJ_DISALLOW_COPY(Retry);

  // Resolves to true once an attempt has settled the call; to false at the deadline, or if the call
  // was refused.  Call it once.  Dropping its promise and then this object abandons all attempts.
  kj::Promise<bool> run(kj::TimePoint deadline);

  // The reason why the last failed attempt failed, in a few words; empty if none did.
  kj::StringPtr lastProblem() const { return problem; }

  // Why the call was given up before the deadline; null if it was not.
  kj::Maybe<kj::StringPtr> refusal() const {
    return refused.map([](const kj::String& why) -> kj::StringPtr { return why; });
  }

private:
  struct Attempt;

  ChainLocator& locator;
  kj::Timer& timer;
  Random& random;
  Route route;
  Limits limits;
  Send send;
  kj::String problem;
  kj::Maybe<kj::String> refused;
  kj::Own<kj::PromiseFulfiller<bool>> settled;
  kj::TimePoint deadline = kj::origin<kj::TimePoint>();
  bool mindsDeadline = false;

  // The newest epoch when the attempts below were made.
  std::uint64_t epoch = 0;
  unsigned attemptsInEpoch = 0;
  unsigned pauses = 0;

  kj::TaskSet tasks;  // The attempts.

  kj::Promise<void> drive();
  void mindDeadline();
  kj::Own<Attempt> start();
  kj::Promise<void> watch(kj::Own<Attempt> attempt);
  kj::Promise<void> pause();
  kj::Duration patienceFor(unsigned attempt) const;
  kj::Duration nextPause();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::client
