#include "chain/checkpointer.h"

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel::chain {
namespace {

// As many changed auctions, bidders and sessions take about 10 ms of the storage thread.
constexpr std::size_t MOST_CHANGES = 8192;
// To store them early costs nothing more, and the log waits for less.
constexpr std::size_t MOST_CLOSED = 2048;
// To encode or forget one takes some microseconds.
constexpr std::size_t PER_STEP = 16;
constexpr std::size_t UNITS_EACH = 4;
// The time for that in one turn, besides what else is done in it.
constexpr auto SLICE = 2 * kj::MILLISECONDS;

}  // namespace

Checkpointer::Checkpointer(Store& store, auction::State& state, kj::Timer& timer,
                           std::size_t everyBytes, WorkPace pace, kj::Function<void()> again)
    : store(store),
      state(state),
      timer(timer),
      everyBytes(everyBytes),
      again(kj::mv(again)),
      budget(pace, SLICE),
      tasks(*this) {}

kj::Promise<void> Checkpointer::whenStored(std::uint64_t index) {
  if (index <= stored) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  waiters.push_back({index, kj::mv(paf.fulfiller)});
  return kj::mv(paf.promise);
}

bool Checkpointer::isDue() const {
  if (step != Step::none) return false;
  bool enough = pendingBytes >= everyBytes || state.uncaptured() >= MOST_CHANGES ||
                closedSince >= MOST_CLOSED;
  return enough || !waiters.empty();
}

void Checkpointer::consider(const RecentLog& log, std::uint64_t commit) {
  if (step == Step::none) {
    if (!isDue()) return;
    pendingBytes = 0;
    closedSince = 0;
    at = log.at(state.lastIndex());
    step = Step::capturing;
    state.beginCapture();
    budget.restart();
    capture();
  }
  if (step == Step::captured && at.index <= commit) write();
}

void Checkpointer::capture() {
  while (!state.continueCapture(PER_STEP)) {
    if (budget.spend(PER_STEP * UNITS_EACH)) continue;
    later([this]() {
      capture();
      if (step == Step::captured) again();
    });
    return;
  }
  changes = state.endCapture();
  step = Step::captured;
}

void Checkpointer::write() {
  step = Step::writing;
  begun = at.index;
  // Keeps what release() needs, and hands over the records.
  auction::Changes records{changes.lastIndex, kj::mv(changes.records), {}};
  tasks.add(store.checkpoint(at, kj::mv(records)).then([this, round = round]() {
    // Not if the state was replaced meanwhile.
    if (round == this->round) written();
  }));
}

void Checkpointer::written() {
  stored = changes.lastIndex;
  auto waiting = kj::mv(waiters);
  waiters.clear();
  for (auto& waiter: waiting) {
    if (waiter.index <= stored) {
      waiter.fulfiller->fulfill();
    } else {
      waiters.push_back(kj::mv(waiter));
    }
  }
  step = Step::releasing;
  released = 0;
  budget.restart();
  release();
}

void Checkpointer::release() {
  while (released < changes.toRelease.size()) {
    released += state.release(changes, released, PER_STEP);
    if (!budget.spend(PER_STEP * UNITS_EACH)) return later([this]() { release(); });
  }
  changes = {};
  step = Step::none;
  // What has gathered meanwhile may be enough for the next one, and somebody may wait for that.
  later([this]() { again(); });
}

// Uses the timer, so that what has come in over the network gets its turn.
void Checkpointer::later(kj::Function<void()> next) {
  tasks.add(
      timer.afterDelay(0 * kj::SECONDS).then([this, round = round, next = kj::mv(next)]() mutable {
        if (round != this->round) return;
        budget.restart();
        next();
      }));
}

void Checkpointer::restart(std::uint64_t index, std::size_t bytes) {
  ++round;
  step = Step::none;
  changes = {};
  pendingBytes = bytes;
  closedSince = 0;
  stored = begun = index;
  for (auto& waiter: waiters) {
    waiter.fulfiller->reject(
        KJ_EXCEPTION(OVERLOADED, "this node joins the chain anew: try another"));
  }
  waiters.clear();
}

void Checkpointer::taskFailed(kj::Exception&& exception) {
  die("cannot make a checkpoint", {{"error", exception.getDescription()}});
}

}  // namespace gavel::chain
