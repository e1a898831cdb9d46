#include "chain/replica.h"

#include <algorithm>
#include <optional>

#include <kj/debug.h>

#include "base/logging.h"
#include "base/planted.h"
#include "store/unconfirmed-snapshot.h"

namespace gavel::chain {
namespace {

// The most queries that may wait for a commit (R13).
constexpr std::size_t MAX_WAITERS = 10'000;
// How long one turn may apply entries (R16).
constexpr auto APPLY_SLICE = 2 * kj::MILLISECONDS;
// Anybody may ask for the links to be tried, which takes 64 KiB each way.
constexpr auto TRIAL_PAUSE = 200 * kj::MILLISECONDS;

kj::Exception tooManyWaiters() {
  return KJ_EXCEPTION(OVERLOADED, "overloaded: too many queries wait; try again later");
}

}  // namespace

Replica::Replica(kj::Network& network, kj::Timer& timer, ChainTime& time, Store& store, Image image,
                 std::uint64_t incarnation, Observer& observer, Options options)
    : network(network),
      timer(timer),
      time(time),
      store_(store),
      self(incarnation),
      observer(observer),
      options(options),
      linkPatience(options.linkPatience),
      configuration(store.recovered().configuration),
      durableEpoch_(configuration.epoch),
      promised_(store.recovered().promised),
      adoption(kj::Promise<void>(kj::READY_NOW).fork()),
      rebuilt(kj::Promise<void>(kj::READY_NOW).fork()),
      applyBudget(options.pace, APPLY_SLICE),
      incomplete(!store.recovered().damage.empty()),
      bound_(store.recovered().bound),
      savedBound(bound_),
      checkpointer(store, state_, timer, options.checkpointBytes, options.pace,
                   [this]() { considerCheckpoint(); }),
      confirm(static_cast<ChainConfirm::Host&>(*this), timer),
      linkTrial(timer, TRIAL_PAUSE, [this]() { return tryLinksOnce(); }),
      diskWatch(store, timer, options.diskPatience),
      tasks(*this) {
  restart(kj::mv(image));
  followDisk();
  tasks.add(diskWatch.run([this]() { diskChecked(); }));
}

Replica::~Replica() noexcept(false) = default;

// -- configurations

kj::Promise<void> Replica::adopt(const Configuration& newer) {
  if (newer.epoch < configuration.epoch) return kj::READY_NOW;
  if (configuration.clusterId != 0 && newer.clusterId != configuration.clusterId) {
    KJ_FAIL_REQUIRE("a configuration of another cluster", newer.clusterId, configuration.clusterId);
  }
  bool again = planted(Bug::restartInPlace) && !acting_ && durableEpoch_ == newer.epoch;
  if (newer.epoch == configuration.epoch && !again) {
    if (newer.members != configuration.members || newer.reign != configuration.reign) {
      die("two different configurations of one epoch: the master's store is broken",
          {{"epoch", newer.epoch},
           {"have", configuration.describe()},
           {"heard", newer.describe()}});
    }
    return adoption.addBranch();
  }
  KJ_IF_MAYBE (why, whyNotAdopt(newer)) {
    if (saidForbidden != newer.epoch) logWarning("refused a configuration", {{"reason", *why}});
    saidForbidden = newer.epoch;
    return kj::READY_NOW;
  }
  return enter(newer);
}

kj::Promise<void> Replica::enter(const Configuration& newer) {
  if (acting_) stopActing();
  configuration = newer;
  adoption = canceler
                 .wrap(store_.saveConfiguration(newer)
                           .then([this]() { return rebuilt.addBranch(); })
                           .then([this, epoch = newer.epoch]() {
                             if (configuration.epoch == epoch) startActing();
                           }))
                 .fork();
  // This branch of our own has it carried out, whether or not the caller waits for it.
  tasks.add(adoption.addBranch());
  return adoption.addBranch();
}

void Replica::stopActing() {
  noteBound();
  acting_ = false;
  confirm.stop();
  if (!planted(Bug::obeyOldLinks)) {
    retireSuccessorLink();
    retirePredecessorLink();
    retireCommitLinks();
  }
  // Those that wait for a commit are refused, too.  If this node is out of the chain for a while,
  // what they have read may be dropped, and something else be committed at its index.
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> waiting;
  waiting.swap(barrierWaiters);
  for (auto& waiter: predecessorWaiters) waiting.push_back(kj::mv(waiter));
  predecessorWaiters.clear();
  for (auto* waiters: {&commitWaiters, &appliedWaiters}) {
    for (auto& [index, waiter]: *waiters) waiting.push_back(kj::mv(waiter));
    waiters->clear();
  }
  for (auto& waiter: waiting) {
    waiter->reject(relinked());
  }
  observer.stopped();
}

void Replica::startActing() {
  acting_ = true;
  durableEpoch_ = configuration.epoch;
  auto now = role();
  tracker.adopt(now, log_.end().index);
  // The new head orders on top of all that it holds: every entry of its log stands (R6).
  if (isHead(now)) apply(log_.end().index);
  if (configuration.successor(self) != nullptr) {
    successorLink = kj::heap<SuccessorLink>(static_cast<SuccessorLink::Host&>(*this), network,
                                            timer, linkPatience, configuration, self);
  }
  reportCommits();
  logInfo("adopted configuration", {{"epoch", configuration.epoch},
                                    {"role", roleName(now)},
                                    {"chain", configuration.describe()},
                                    {"last", log_.end().index},
                                    {"commit", tracker.commit()},
                                    {"cause", configuration.cause}});
  observer.started();
  advance();
}

bool Replica::reject(const Header& header,
                     kj::Function<schema::Rejection::Builder()> rejection) const {
  if (header.clusterId != configuration.clusterId || header.receiver != self) {
    auto builder = rejection();
    builder.setReason(schema::Rejection::Reason::NOT_ADDRESSED);
    builder.setDetail(header.clusterId != configuration.clusterId
                          ? "this node belongs to another cluster"
                          : "this is another process: the one meant is gone");
    return true;
  }
  if (header.epoch < configuration.epoch) {
    auto builder = rejection();
    builder.setReason(schema::Rejection::Reason::LOWER_EPOCH);
    builder.setDetail(kj::str("epoch ", header.epoch, " is over: it is ", configuration.epoch));
    configuration.write(builder.initConfiguration());
    return true;
  }
  if (header.epoch > configuration.epoch || !acting_) {
    auto builder = rejection();
    builder.setReason(schema::Rejection::Reason::BUSY);
    builder.setDetail("this node is still adopting its configuration");
    return true;
  }
  return false;
}

// -- the log

void Replica::append(std::span<const auction::Entry> entries) {
  KJ_REQUIRE(isHead(role()));
  auto batch = Batch::make(configuration.epoch, log_.end(), entries);
  log_.append(batch);
  checkpointer.logged(batch->bytes().size());
  store_.append(kj::mv(batch));
  advance();
}

void Replica::receive(std::vector<BatchPtr> batches, std::uint64_t upstreamDurable,
                      std::uint64_t commit) {
  std::optional<auction::Stamp> last;
  for (auto& batch: batches) {
    KJ_REQUIRE(batch->epoch() <= configuration.epoch, "a batch from the future", batch->epoch(),
               configuration.epoch);
    requireBoundIn(*batch);
    log_.append(batch);
    checkpointer.logged(batch->bytes().size());
    last = batch->lastStamp();
    store_.append(kj::mv(batch));
  }
  if (last) time.noted(*last, time.sinceBoot());
  tracker.heardUpstream(upstreamDurable);
  if (role() == Role::syncing) tracker.heardCommit(commit);
  advance();
}

void Replica::followDisk() {
  following = followDiskAbove(tracker.durable()).eagerlyEvaluate([this](kj::Exception&& exception) {
    taskFailed(kj::mv(exception));
  });
}

kj::Promise<void> Replica::followDiskAbove(std::uint64_t index) {
  return store_.durableAbove(index).then([this](std::uint64_t durable) {
    tracker.persisted(durable);
    advance();
    return followDiskAbove(durable);
  });
}

// A write that never ends is as bad as one that fails (R12).  But the master decides whether the
// chain is better off without this node: the disks of all may hang together.
void Replica::diskChecked() {
  if (!diskWatch.hangs()) {
    if (saidHang) logInfo("the disk answers again");
    saidHang = false;
    return;
  }
  if (!saidHang) {
    logError("the disk does not answer: this node confirms nothing until it does",
             {{"durable", tracker.durable()}, {"last", log_.end().index}});
  }
  saidHang = true;
  if (configuration.find(self) == nullptr) die("the disk does not answer: leaving, as no member");
  if (configuration.members.size() == 1 && diskWatch.hangsForLong()) {
    die("the disk does not answer: leaving, as nobody can take this node out of its chain");
  }
}

void Replica::heardCommit(std::uint64_t index) {
  KJ_REQUIRE(index <= log_.end().index, "a commit index beyond this node's log", index,
             log_.end().index);
  tracker.heardCommit(index);
  advance();
}

// Brings everything in line with the log, the disk and the neighbours' numbers.
void Replica::advance() {
  if (!configuration.isShort() && acting_) assured_ = kj::max(assured_, tracker.committedHere());
  KJ_IF_MAYBE (link, successorLink) (*link)->wake();
  // First the one with bids to answer.
  KJ_IF_MAYBE (sender, commitSender) (*sender)->wake();
  KJ_IF_MAYBE (link, predecessorLink) (*link)->wake();
  if (tracker.commit() != announcedCommit || assured() != announcedAssured) {
    announcedCommit = tracker.commit();
    announcedAssured = assured();
    if (state_.lastIndex() < announcedCommit) apply(announcedCommit);
    auto before = shown;
    show();
    // Success may now be reported of what was committed before (R18).
    if (shown == before) observer.committed(shown);
    answerWaiters();
    saveBoundSoon();
  }
  considerCheckpoint();
  considerGate();
  if (roomWaiter != nullptr && hasRoom()) {
    KJ_IF_MAYBE (waiter, roomWaiter) (*waiter)->fulfill();
    roomWaiter = nullptr;
  }
}

// A checkpoint is as of a position in the log, and completes the one from which the state was made.
void Replica::considerCheckpoint() {
  if (applying == nullptr && !rebuilding) checkpointer.consider(log_, tracker.commit());
}

auction::Outcome Replica::applyAhead(const auction::Entry& entry) {
  auto outcome = state_.apply(entry, &events);
  if (std::holds_alternative<auction::CloseExpired>(entry.command)) {
    checkpointer.closed(events.size());
  }
  tellApplied();
  return outcome;
}

std::size_t Replica::uncommittedBytes() const {
  return log_.bytesAfter(tracker.commit());
}

// -- who waits

kj::Promise<void> Replica::whenCommitted(std::uint64_t index, std::uint64_t epoch) {
  if (!actsIn(epoch)) return relinked();
  if (index <= tracker.commit()) return kj::READY_NOW;
  if (commitWaiters.size() >= MAX_WAITERS) return tooManyWaiters();
  auto paf = kj::newPromiseAndFulfiller<void>();
  commitWaiters.emplace(index, kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

kj::Promise<std::uint64_t> Replica::confirmed() {
  auto epoch = configuration.epoch;
  return canceler.wrap(confirm.confirmed().then([this, epoch]() -> kj::Promise<std::uint64_t> {
    // What was confirmed is in the log, but may not be in the state yet.
    auto index = tracker.commit();
    if (index <= state_.lastIndex()) return epoch;
    return whenApplied(index).then([epoch]() { return epoch; });
  }));
}

kj::Promise<void> Replica::confirmByPredecessor() {
  KJ_IF_MAYBE (link, predecessorLink) {
    return (*link)->confirm();
  }
  auto paf = kj::newPromiseAndFulfiller<void>();
  predecessorWaiters.push_back(kj::mv(paf.fulfiller));
  return paf.promise.then([this]() { return confirmByPredecessor(); });
}

kj::Promise<std::uint64_t> Replica::confirmBySuccessor() {
  return KJ_ASSERT_NONNULL(successorLink)->confirm();
}

kj::Promise<void> Replica::whenPastBarrier() {
  if (tracker.pastBarrier() || planted(Bug::answerBeforeBarrier)) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  barrierWaiters.push_back(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

void Replica::answerWaiters() {
  auto end = commitWaiters.upper_bound(tracker.commit());
  for (auto waiter = commitWaiters.begin(); waiter != end; ++waiter) waiter->second->fulfill();
  commitWaiters.erase(commitWaiters.begin(), end);
  if (!tracker.pastBarrier()) return;
  for (auto& waiter: barrierWaiters) waiter->fulfill();
  barrierWaiters.clear();
}

kj::Promise<kj::Own<SnapshotReader>> Replica::snapshot() {
  auto epoch = configuration.epoch;
  return canceler.wrap(confirmed()
                           .then([this, epoch](std::uint64_t) -> kj::Promise<void> {
                             if (!actsIn(epoch)) return relinked();
                             auto stored = checkpointer.whenStored(shown);
                             considerCheckpoint();
                             return stored;
                           })
                           .then([this, epoch]() -> kj::Promise<kj::Own<SnapshotReader>> {
                             // Otherwise the store may hold a part of another snapshot by now.
                             if (!actsIn(epoch)) return relinked();
                             return store_.openSnapshot();
                           }));
}

kj::Promise<kj::Own<SnapshotReader>> Replica::unconfirmedSnapshot() {
  auto& stored = store_.recovered();
  auto serves = [&](const Member& member) {
    return member.serving && member.storeId == stored.storeId;
  };
  if (std::none_of(configuration.members.begin(), configuration.members.end(), serves)) {
    return KJ_EXCEPTION(OVERLOADED,
                        "this node is no serving member of the newest configuration that it knows, "
                        "and may lack what was acknowledged",
                        configuration.epoch);
  }
  if (incomplete || rebuilding > 0 || !stored.damage.empty()) {
    return KJ_EXCEPTION(OVERLOADED, "what this node's disk holds is not complete", stored.damage);
  }
  // What a later epoch acknowledges without this node is not in it.  Then nobody may get it.
  return canceler.wrap(openUnconfirmedSnapshot(store_, timer, options.pace)
                           .then([this, epoch = configuration.epoch](kj::Own<SnapshotReader> reader)
                                     -> kj::Promise<kj::Own<SnapshotReader>> {
                             if (configuration.epoch != epoch) return relinked();
                             return kj::mv(reader);
                           }));
}

std::uint64_t Replica::knownCommitted() const {
  return std::max({tracker.commit(), bound_.at.index, shown});
}

void Replica::taskFailed(kj::Exception&& exception) {
  die("the replica broke down", {{"error", exception.getDescription()}});
}

}  // namespace gavel::chain
