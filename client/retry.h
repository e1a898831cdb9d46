#pragma once

#include <kj/function.h>
#include <kj/timer.h>

#include "base/random.h"
#include "client/chain-locator.h"

namespace gavel::client {

// Makes attempts at one call, at whichever node should answer it now, until one settles it or the
// deadline passes.  If the call may go to one node only, and that one is found not to serve in the
// chain, there is nothing to wait for.
//
// An attempt without an answer is not taken back, as it may still be answered: after a while
// another one starts beside it, and the first that settles the call ends it.  While attempts wait,
// the configuration is asked for now and then; when the head (or tail) is another one than they
// were sent to, the next attempt starts at once.  So a killed head costs no more than the time the
// chain needs to have a new one plus a back-off, and a paused one little more.
class Retry final: private kj::TaskSet::ErrorHandler {
public:
  struct Limits {
    // How long an attempt at the preferred node is waited for before another one starts.
    kj::Duration patience = 1 * kj::SECONDS;
    // The same at any other node, where one is preferred: these are only tried when there is
    // trouble.
    kj::Duration detourPatience = 300 * kj::MILLISECONDS;
    // How often a waiting call looks whether the chain has changed.
    kj::Duration lookAround = 250 * kj::MILLISECONDS;
    // Between attempts; half as long again from one to the other, less up to half of it at random.
    kj::Duration shortestPause = 10 * kj::MILLISECONDS;
    kj::Duration longestPause = 200 * kj::MILLISECONDS;
  };

  // Sends one attempt to a node and says whether its answer settles the call.  The promise must not
  // refer to the node after it ended.
  using Send = kj::Function<kj::Promise<bool>(schema::Auctioneer::Client&)>;

  // `locator`, `timer`, `random` and what `send` refers to must outlive this object.
  Retry(ChainLocator& locator, kj::Timer& timer, Random& random, Route route, Limits limits,
        Send send);
  KJ_DISALLOW_COPY(Retry);

  // Resolves to true once an attempt has settled the call; to false at the deadline, or when the
  // call was refused.  Called once; dropping it and then this object abandons all attempts.
  kj::Promise<bool> run(kj::TimePoint deadline);

  // What the last failed attempt came to, in a few words; empty if none failed.
  kj::StringPtr lastProblem() const { return problem; }

  // Why it was given up before the deadline; null if it was not.
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

  // Where the chain stood when the attempts below were made.
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
