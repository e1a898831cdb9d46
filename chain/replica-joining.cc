#include <kj/debug.h>

#include "base/logging.h"
#include "base/planted.h"
#include "chain/replica.h"

// Joining (R9): the tail's side of the gate, and what a syncing member does with its log.
namespace gavel::chain {
namespace {

// The tail gates the joiner once at most this much is not on the joiner's disk yet.  It is so
// little that those who wait for a commit do not notice.
constexpr std::size_t GATE_BYTES = 256 * 1024;
constexpr auto GATE_INTERVAL = 100 * kj::MILLISECONDS;

// What a joiner takes before it is on its disk.
constexpr std::size_t JOINER_BYTES = 4 * 1024 * 1024;

}  // namespace

// -- the tail

void Replica::joinerAttached() {
  tracker.joinerAttached();
}

// The joiner may have reported what it has on disk before this, and on an idle chain
// nothing else follows.
void Replica::joinerAligned() {
  considerGate();
}

void Replica::joinerPersisted(std::uint64_t index) {
  KJ_REQUIRE(index <= log_.end().index, "the joiner tells of entries that this node does not hold",
             index, log_.end().index);
  tracker.joinerPersisted(index);
  advance();
}

void Replica::considerGate() {
  auto* joiner = configuration.joiner();
  if (!acting_ || joiner == nullptr || !isTail(role())) return;
  if (!tracker.pastBarrier() && !planted(Bug::gateBeforeBarrier)) return;
  KJ_IF_MAYBE (link, successorLink) {
    if (!(*link)->aligned()) return;
    if (!tracker.gated()) {
      // What is not committed is not on all other disks either, and so is no lag.
      if (!log_.holdsWithin(tracker.joinerDurable(), tracker.commit(), GATE_BYTES)) return;
      tracker.gate();
      gateTold = false;
      logInfo("gating: nothing is committed any more that the joiner has not on disk",
              {{"epoch", configuration.epoch},
               {"joiner", joiner->name},
               {"durable", tracker.joinerDurable()},
               {"last", log_.end().index}});
    }
    if (!gateTold && tracker.gateHolds()) {
      gateTold = true;
      tasks.add(tellGate(configuration.epoch));
    }
  }
}

// Reports again and again: the master may not have heard it, or may have been restarted.
kj::Promise<void> Replica::tellGate(std::uint64_t epoch) {
  if (!acting_ || configuration.epoch != epoch) return kj::READY_NOW;
  KJ_IF_MAYBE (link, successorLink) {
    if ((*link)->aligned() && tracker.gateHolds()) {
      observer.gated(epoch, *configuration.joiner());
    }
  }
  return timer.afterDelay(GATE_INTERVAL).then([this, epoch]() { return tellGate(epoch); });
}

// -- the syncing member

bool Replica::hasRoom() const {
  return log_.holdsWithin(tracker.durable(), log_.end().index, JOINER_BYTES);
}

kj::Promise<void> Replica::room() {
  if (hasRoom()) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  roomWaiter = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
}

kj::Promise<kj::Maybe<Position>> Replica::cut(Position position) {
  if (position == log_.end() && !incomplete) return kj::Maybe<Position>(nullptr);
  if (position.index == 0 && incomplete) {
    logWarning("dropping what is left of a damaged log or an unfinished snapshot");
    incomplete = false;
    return rebuild(store_.beginInstall().then([this]() { return store_.finishInstall({}); }))
        .then([]() { return kj::Maybe<Position>(nullptr); });
  }
  auto shared = log_.contains(position);
  auto candidate = shared ? std::optional<Position>(position) : log_.lastWithin(position);
  if (mayGiveUp()) {
    // The checkpoint may hold what was given up, too.
    bool inside = !candidate || candidate->index < checkpointer.newest();
    if (inside) return giveUp(std::nullopt);
    if (shared && position.index < log_.end().index) return giveUp(position);
  }
  // Everything committed is on every serving member, the tail included, and no two entries have the
  // same epoch and index.
  bool sound = candidate && candidate->index >= committedFloor() &&
               (shared || candidate->index < position.index || candidate->epoch < position.epoch);
  if (!sound) {
    die("this node's log and the tail's contradict each other in what is committed: one of the two "
        "is damaged, or an older copy of a data directory. This node stays out, and keeps its "
        "directory as it is",
        {{"epoch", configuration.epoch},
         {"tail_has", position.index},
         {"tail_has_epoch", position.epoch},
         {"commit", tracker.commit()},
         {"bound", bound_.at.index},
         {"last", log_.end().index}});
  }
  if (!shared) return kj::Maybe<Position>(*candidate);
  if (planted(Bug::truncateNothing)) return kj::Maybe<Position>(nullptr);
  // This goes on even if nothing follows `position`, when the store is damaged: by the cut the
  // store learns that it lacks nothing.
  incomplete = false;
  logInfo("dropping entries that the chain does not have",
          {{"epoch", configuration.epoch}, {"after", position.index}, {"last", log_.end().index}});
  return rebuild(store_.cut(position)).then([]() { return kj::Maybe<Position>(nullptr); });
}

kj::Promise<void> Replica::beginInstall(Position position) {
  logInfo("dropping everything for a snapshot",
          {{"epoch", configuration.epoch}, {"index", position.index}, {"last", log_.end().index}});
  incomplete = true;
  following = nullptr;
  if (!mayGiveUp()) return dropAll();
  auto after = givenUpAfter();
  return canceler.wrap(keepGivenUp(after).then([this]() { return dropAll(); }));
}

kj::Promise<void> Replica::dropAll() {
  auto begun = store_.beginInstall();
  restart(Image{{}, auction::State(&store_.ended()), {}});
  return begun;
}

kj::Promise<void> Replica::install(kj::Array<kj::byte> records) {
  return store_.install(kj::mv(records));
}

kj::Promise<void> Replica::finishInstall(Position position) {
  return rebuild(store_.finishInstall(position)).then([this, position]() {
    incomplete = false;
    logInfo("snapshot installed", {{"epoch", configuration.epoch}, {"index", position.index}});
  });
}

// Waits for a change of what is on disk, and makes memory the same.  It is carried out even if
// whoever asked for it has gone, since the disk has changed.
kj::Promise<void> Replica::rebuild(kj::Promise<void> change) {
  following = nullptr;
  ++rebuilding;
  rebuilt = canceler
                .wrap(change.then([this]() { return store_.load(); }).then([this](Image&& image) {
                  restart(kj::mv(image));
                  followDisk();
                  --rebuilding;
                }))
                .fork();
  tasks.add(rebuilt.addBranch());
  return rebuilt.addBranch();
}

void Replica::restart(Image image) {
  auto end = image.end();
  // What was known to be committed still is, unless it is not here any more because
  // everything was dropped.
  auto commit = kj::max(image.checkpoint.index, kj::min(tracker.commit(), end.index));
  std::size_t bytes = 0;
  auto lastStamp = image.state.lastStamp();
  log_ = RecentLog(image.checkpoint);
  for (auto& batch: image.log) {
    bytes += batch->bytes().size();
    lastStamp = batch->lastStamp();
    log_.append(kj::mv(batch));
  }
  time.read(lastStamp);
  store_.discard(kj::mv(state_));
  state_ = kj::mv(image.state);
  events.clear();
  applying = nullptr;
  applyTo = 0;
  checkpointer.restart(image.checkpoint.index, bytes);
  tracker.restart(end.index, commit);
  announcedCommit = commit;
  shown = state_.lastIndex();
  observer.restarted(shown);
  if (planted(Bug::restartUntold)) {
    for (auto next = log_.after(shown); next != nullptr && next->lastIndex() <= commit;
         next = log_.after(next->lastIndex())) {
      next->forEach([this](const auction::Entry& entry) { state_.apply(entry); });
    }
  }
  // Reported as any other commit is: those who watch here may have seen nothing of it yet.
  apply(commit);
  show();
}

}  // namespace gavel::chain
