#include "chain/checkpointer.h"

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel::chain {
namespace {

// Changed auctions, bidders and sessions: about 10 ms of the storage thread.
constexpr std::size_t MOST_CHANGES = 8192;

}  // namespace

Checkpointer::Checkpointer(Store& store, auction::State& state, std::size_t everyBytes)
    : store(store), state(state), everyBytes(everyBytes), tasks(*this) {}

kj::Promise<void> Checkpointer::whenStored(std::uint64_t index) {
  if (index <= stored) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  waiters.push_back({index, kj::mv(paf.fulfiller)});
  return kj::mv(paf.promise);
}

void Checkpointer::consider(const Log& log, std::uint64_t commit) {
  if (writing) return;
  if (captured == nullptr) {
    const bool due = pendingBytes >= everyBytes || state.uncaptured() >= MOST_CHANGES;
    if (!due && waiters.empty()) return;
    pendingBytes = 0;
    captured = Captured{log.at(state.lastIndex()), state.capture()};
  }
  KJ_IF_MAYBE (waiting, captured) {
    if (waiting->at.index > commit) return;
    auto ready = kj::mv(*waiting);
    captured = nullptr;
    write(kj::mv(ready));
  }
}

void Checkpointer::write(Captured ready) {
  writing = true;
  begun = ready.at.index;
  // What release() needs, without the records.
  auction::Changes kept{ready.changes.lastIndex, {}, ready.changes.toRelease};
  tasks.add(store.checkpoint(ready.at, kj::mv(ready.changes))
                .then([this, kept = kj::mv(kept), round = round]() {
                  // Not if the state is another one by now.
                  if (round == this->round) written(kept);
                }));
}

void Checkpointer::written(const auction::Changes& changes) {
  writing = false;
  stored = changes.lastIndex;
  state.release(changes);
  auto waiting = kj::mv(waiters);
  waiters.clear();
  for (auto& waiter: waiting) {
    if (waiter.index <= stored) {
      waiter.fulfiller->fulfill();
    } else {
      waiters.push_back(kj::mv(waiter));
    }
  }
}

void Checkpointer::restart(std::uint64_t index, std::size_t bytes) {
  ++round;
  writing = false;
  captured = nullptr;
  pendingBytes = bytes;
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
