#include <limits>

#include <kj/debug.h>

#include "base/logging.h"
#include "base/planted.h"
#include "chain/replica.h"

// What a replica knows to be committed, and what follows from that for joining (R11) and for
// reporting success (R18).
namespace gavel::chain {

// -- the bound

// An operator's order may since have given up what an earlier configuration has committed.  So only
// what was heard in this one counts.
void Replica::noteBound() {
  if (!acting_ || store_.recovered().unsynced) return;
  auto index = kj::min(tracker.committedHere(), tracker.durable());
  if (planted(Bug::boundAboveCommit)) index = log_.end().index;
  auto at = log_.lastWithin({std::numeric_limits<std::uint64_t>::max(), index, 0});
  if (!at || at->index == 0) return;
  if (bound_.counts(configuration.restartedIn) && at->index <= bound_.at.index) return;
  bound_ = {*at, configuration.epoch};
}

Bound Replica::bound() {
  noteBound();
  return bound_;
}

void Replica::saveBoundSoon() {
  if (boundDue || store_.recovered().unsynced) return;
  boundDue = true;
  tasks.add(timer.afterDelay(options.boundPeriod).then([this]() {
    boundDue = false;
    noteBound();
    if (bound_ == savedBound) return;
    savedBound = bound_;
    store_.saveBound(bound_);
  }));
}

std::uint64_t Replica::assured() const {
  bool all = configuration.minMembers <= 1 || planted(Bug::ackInShortEpoch);
  return all ? tracker.commit() : assured_;
}

// -- joining a chain that may have gone on from less

// Whether an operator's order may have given up what this node knows to be committed.
bool Replica::mayGiveUp() const {
  return configuration.restartedIn != 0 && !bound_.counts(configuration.restartedIn) &&
         !planted(Bug::boundBlocksRecover);
}

// What this node must not drop, whatever the chain's log is.
std::uint64_t Replica::committedFloor() const {
  if (mayGiveUp()) return 0;
  bool holds = !incomplete && bound_.at.index <= log_.end().index;
  return holds ? kj::max(tracker.commit(), bound_.at.index) : tracker.commit();
}

void Replica::requireBound(const Position& tailEnd) const {
  auto& at = bound_.at;
  // This very tail has committed what was committed in this epoch.  Its end is as of an earlier
  // moment, in an attachment that was long on its way.
  if (bound_.madeIn == configuration.epoch) return;
  if (mayGiveUp() || at.index < tailEnd.index || at == tailEnd || at.index == 0) return;
  die("the chain lacks entries that this node knows to be committed: it goes on from an older copy "
      "of a data directory. This node stays out, and keeps its directory as it is. To go on from "
      "what it holds, stop the nodes that serve, start this one, and order gavel chain recover",
      {{"epoch", configuration.epoch},
       {"committed", at.index},
       {"committed_epoch", at.epoch},
       {"heard_in", bound_.madeIn},
       {"tail_has", tailEnd.index},
       {"tail_has_epoch", tailEnd.epoch}});
}

// This is for a node whose log had lost the bound.
void Replica::requireBoundIn(const Batch& batch) const {
  auto& at = bound_.at;
  if (at.index < batch.firstIndex() || at.index > batch.lastIndex() || at == batch.end()) return;
  if (mayGiveUp()) return;
  die("the chain has another entry where this node knows one to be committed: it goes on from an "
      "older copy of a data directory, or one of the two is damaged. This node stays out, and "
      "keeps its directory as it is",
      {{"epoch", configuration.epoch}, {"committed", at.index}, {"committed_epoch", at.epoch}});
}

// Copies what an operator's order gave up, before it is dropped.  Copies nothing if the log holds
// none of that.
kj::Promise<void> Replica::keepGivenUp(std::uint64_t after) {
  if (log_.end().index <= after) return kj::READY_NOW;
  logWarning("an operator's order gave up entries that this node holds: dropping them",
             {{"epoch", configuration.epoch},
              {"ordered_in", configuration.restartedIn},
              {"restarted_from", configuration.restartedFrom.index},
              {"after", after},
              {"last", log_.end().index}});
  return store_.keepAside(after, configuration.restartedIn).then([](std::string where) {
    logWarning("what is dropped was kept aside", {{"where", where}});
  });
}

// Where what was given up begins, as far as this node can know by itself.
std::uint64_t Replica::givenUpAfter() const {
  auto& from = configuration.restartedFrom;
  return log_.contains(from) ? from.index : 0;
}

// Drops what follows `shared`, or everything.  To drop everything is begun here, and goes on once
// the tail has heard that nothing is shared.
kj::Promise<kj::Maybe<Position>> Replica::giveUp(std::optional<Position> shared) {
  if (shared) {
    auto kept = keepGivenUp(shared->index);
    return rebuild(kept.then([this, at = *shared]() { return store_.cut(at); })).then([]() {
      return kj::Maybe<Position>(nullptr);
    });
  }
  rebuilt = canceler.wrap(keepGivenUp(givenUpAfter()).then([this]() { incomplete = true; })).fork();
  tasks.add(rebuilt.addBranch());
  return rebuilt.addBranch().then([]() { return kj::Maybe<Position>(Position()); });
}

}  // namespace gavel::chain
