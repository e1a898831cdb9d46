#include <algorithm>

#include <kj/debug.h>

#include "base/logging.h"
#include "base/planted.h"
#include "chain/replica.h"

// How a replica's state follows its log: in slices of turns, however much there is to apply (R16).
namespace gavel::chain {

// Applies up to `upTo`, which is in the log: now if that is little, else in later turns as well.
void Replica::apply(std::uint64_t upTo) {
  applyTo = std::max(applyTo, upTo);
  if (!sliceDue) applySlice();
}

void Replica::applySlice() {
  applyBudget.resume(timer.now());
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 bool more = !applyBudget.spent();
                 while (more && state_.lastIndex() < applyTo) more = applySome();
               })) {
    die("cannot apply the log: it is damaged, or was written by a newer version",
        {{"index", state_.lastIndex() + 1}, {"error", exception->getDescription()}});
  }
  tellApplied();
  if (state_.lastIndex() < applyTo) nextSlice();
}

// Returns false if that is enough for this turn.
bool Replica::applySome() {
  if (applying == nullptr) applying = log_.after(state_.lastIndex());
  upcoming.clear();
  applying->forSome(state_.lastIndex() + 1, auction::State::PREFETCHED,
                    [&](const auction::Entry& entry) {
                      state_.prefetchPlaces(entry.command);
                      upcoming.push_back(entry);
                    });
  for (auto& entry: upcoming) state_.prefetch(entry.command);
  bool more = true;
  for (auto& entry: upcoming) {
    auto* expired = std::get_if<auction::CloseExpired>(&entry.command);
    if (expired != nullptr && planted(Bug::closeAllOnReplay)) expired->limit = 0;
    auto before = events.size();
    state_.apply(entry, &events);
    if (expired != nullptr) checkpointer.closed(events.size() - before);
    more = applyBudget.spend(1 + events.size() - before);
    if (!more) break;
  }
  if (state_.lastIndex() != applying->lastIndex()) return more;
  applying = nullptr;
  // If there is more to apply than fits into a turn, most turns end inside of a batch.  A
  // checkpoint that is due takes this batch's end.  If it had to wait for a turn that ends with a
  // batch, it would hold everything up to there in one write (R16).
  return more && !checkpointer.isDue();
}

// Uses the timer, so that links and heartbeats get their turn before it.
void Replica::nextSlice() {
  sliceDue = true;
  tasks.add(timer.afterDelay(0 * kj::SECONDS).then([this]() {
    sliceDue = false;
    bool ordered = orders();
    applyBudget.restart();
    applySlice();
    show();
    advance();
    if (orders() && !ordered) observer.caughtUp();
  }));
}

void Replica::tellApplied() {
  if (!events.empty()) observer.applied(events);
  events.clear();
}

// Reports what is committed, as far as it is applied.
void Replica::show() {
  auto now = std::min(tracker.commit(), state_.lastIndex());
  if (now == shown) return;
  shown = now;
  log_.trim(shown, options.memoryBytes);
  observer.committed(shown);
  auto end = appliedWaiters.upper_bound(state_.lastIndex());
  for (auto waiter = appliedWaiters.begin(); waiter != end; ++waiter) waiter->second->fulfill();
  appliedWaiters.erase(appliedWaiters.begin(), end);
}

// Those who wait are refused once this node stops acting in its configuration.
kj::Promise<void> Replica::whenApplied(std::uint64_t index) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  appliedWaiters.emplace(index, kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

}  // namespace gavel::chain
