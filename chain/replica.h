#pragma once

#include <map>
#include <optional>

#include <kj/async-io.h>
#include <kj/timer.h>

#include "auction/state.h"
#include "base/turn-budget.h"
#include "chain/chain-confirm.h"
#include "chain/chain-time.h"
#include "chain/checkpointer.h"
#include "chain/commit-link.h"
#include "chain/commit-tracker.h"
#include "chain/header.h"
#include "chain/predecessor-link.h"
#include "chain/shared-trial.h"
#include "chain/successor-link.h"
#include "log/recent-log.h"
#include "store/disk-watch.h"
#include "store/store.h"
#include "topology/configuration.h"

namespace gavel::chain {

// One node's copy of the replicated log and of the auction state, and its links to its neighbours:
// what is common to head, middle and tail (R1, R4, R5, R6), and to a node that joins them (R9).
//
// Invariants:
// - The log grows only at its end; commit() never decreases and never exceeds what is durable here.
//   The exception is a syncing member, which drops what it does not share with the tail: entries
//   that were never committed, or everything, for a snapshot.
// - newest() is the highest configuration heard of.  The node acts (acting()) only once that is
//   durable, and obeys no message of a lower epoch from the moment it has heard of it.
// - state() has applied committed entries only.  It is applied in slices (R16), so it may lag what
//   is committed for a moment; confirmed() waits for that.  At the head of the chain it goes on to
//   the end of the log: what is read from it may be shown only once state().lastIndex() is
//   committed (whenCommitted()).
class Replica final: private SuccessorLink::Host,
                     private PredecessorLink::Host,
                     private CommitSender::Host,
                     private CommitReceiver::Host,
                     private ChainConfirm::Host,
                     private kj::TaskSet::ErrorHandler {
public:
  // One direction of a link, as this end sees it (R6).
  struct LinkReport {
    std::uint64_t epoch;
    const Member& peer;
    LinkDirection direction;
    kj::Maybe<LinkCause> cause;  // Null: it works again.
    kj::Duration lasting;        // From its beginning until now.
    bool gating;                 // The peer is the syncing member, which this node gates.
  };

  // The roles that use this.  All calls come from within the event loop's turn of what caused them.
  class Observer {
  public:
    // The node does not act in its configuration any more.
    virtual void stopped() = 0;
    // The node acts in newest().
    virtual void started() = 0;
    // state() now has these versions.  They are committed, except at the head.
    virtual void applied(std::span<const auction::Event> events) = 0;
    // state() is a new one, as of `index`, all of which is committed; versions are reported from
    // there on.  Also called during the replica's construction, when nothing else is reported.
    virtual void restarted(std::uint64_t index) = 0;
    // Everything up to `index` is committed, and state() has it.
    virtual void committed(std::uint64_t index) = 0;
    // orders() has become true since started().
    virtual void caughtUp() = 0;
    // For the master: a neighbour cannot be reached (see docs/design.md, 'Suspicion').
    virtual void unreachable(std::uint64_t epoch, const Member& neighbour,
                             kj::StringPtr reason) = 0;
    // For the master: what is sent to a neighbour does not get there, or is not answered (R6).
    // Reported again and again while it lasts, and when it is over.
    virtual void linkTrouble(const LinkReport& report) = 0;
    // For the master, as tail: it gates the syncing member (R9).  Reported again and again until a
    // later configuration comes.
    virtual void gated(std::uint64_t epoch, const Member& joiner) = 0;
  };

  struct Options {
    // Bytes of log from one checkpoint to the next.
    std::size_t checkpointBytes = 4 * 1024 * 1024;
    // Bytes of committed log kept in memory, for a successor that lags a little.
    std::size_t memoryBytes = 1024 * 1024;
    // How long the disk may go without an answer (R12).
    kj::Duration diskPatience = 5 * kj::SECONDS;
    // A link without progress for so long does not work (R6).  See setLinkPatience().
    kj::Duration linkPatience = 1 * kj::SECONDS;
    WorkPace pace;
    // The shortest time between two notes on disk of what is known to be committed (R11).
    kj::Duration boundPeriod = 1 * kj::SECONDS;
  };

  // All references outlive the replica.  `image` is what `store` holds.  `time` is given the stamps
  // of all entries that come into the log, except of those applied ahead.  A replica of a store
  // that is not empty follows configurations, but is a member of none until one names this
  // incarnation (R2).
  Replica(kj::Network& network, kj::Timer& timer, ChainTime& time, Store& store, Image image,
          std::uint64_t incarnation, Observer& observer, Options options);
  ~Replica() noexcept(false);
  KJ_DISALLOW_COPY(Replica);

  std::uint64_t incarnation() const { return self; }

  // Sets the patience for links of later epochs.
  void setLinkPatience(kj::Duration patience) { linkPatience = patience; }

  // Has this node act in a configuration that the master has stored; resolves once it does.  One
  // that is older than newest() is ignored.  Another one of the same epoch ends the process (R1).
  // One that this node has promised not to adopt is refused, in the log only.
  kj::Promise<void> adopt(const Configuration& configuration);
  // Why it has to refuse `newer`, for the operators of the master that made it; null: it does not.
  kj::Maybe<kj::String> whyNotAdopt(const Configuration& newer) const;
  const Configuration& newest() const { return configuration; }
  bool acting() const { return acting_; }
  // The newest epoch whose configuration is durable here.
  std::uint64_t durableEpoch() const { return durableEpoch_; }
  // Its role in newest() as soon as the node acts in that; `waiting` before.
  Role role() const override { return acting_ ? configuration.roleOf(self) : Role::waiting; }

  // Whether this node is the head and may order: its state has everything that its log has (R6).
  bool orders() const { return isHead(role()) && state_.lastIndex() >= log_.end().index; }
  // Head only: applies the next entry to state(), ahead of the log.
  auction::Outcome applyAhead(const auction::Entry& entry);
  // Head only: adds the entries that were applied ahead, in order, with indexes from logEnd().index
  // + 1 on.
  void append(std::span<const auction::Entry> entries);

  Position logEnd() const { return log_.end(); }
  std::uint64_t durable() const { return tracker.durable(); }
  std::uint64_t commit() const { return tracker.commit(); }
  // Whether the disk does not answer (R12).
  bool diskHangs() const override { return diskWatch.hangs(); }
  // Up to where enough members have committed what is committed (R18).  Success may be reported up
  // to there.
  std::uint64_t assured() const;
  // The highest position that this node knows to be committed, as it could be noted now (R11).
  Bound bound();
  // Whether it gates the syncing member, as tail (R9).
  bool gating() const override { return tracker.gated(); }
  std::size_t uncommittedBytes() const;

  auction::State& state() { return state_; }
  const auction::State& state() const { return state_; }
  Store& store() override { return store_; }

  bool actsIn(std::uint64_t epoch) const { return acting_ && configuration.epoch == epoch; }
  // Resolves once everything up to `index` of the log as it was in `epoch` is committed.
  // Fails with OVERLOADED if this node does not act in that configuration any more, or stops
  // doing so before.
  kj::Promise<void> whenCommitted(std::uint64_t index, std::uint64_t epoch);

  // Resolves once this node may show to a client what is committed, as of this call or later (R10):
  // the whole chain was asked after it.  While this node acts in the epoch that it resolves to,
  // state() holds all that was committed then.  Fails with OVERLOADED if this is no serving member,
  // or the chain does not confirm it.
  kj::Promise<std::uint64_t> confirmed();
  // How many wait for a confirm to begin.
  std::size_t unconfirmed() { return confirm.waiting(); }

  // Checks whether the chain works: resolves once it has confirmed, and each neighbour has answered
  // a large message on the link of this epoch.  Fails with OVERLOADED, in words that name the
  // neighbour, if that takes long.
  kj::Promise<void> tryLinks() { return canceler.wrap(linkTrial.run()); }

  // A snapshot that holds everything that is committed in the chain now.  Fails with OVERLOADED as
  // confirmed() does.
  kj::Promise<kj::Own<SnapshotReader>> snapshot();

  // The question of a master that makes the store of a lost one anew (Peer.promise, R3).
  struct Question {
    Configuration newest;  // What the caller takes for the newest of this node.
    RebuildPromise promise;
    std::uint64_t released;
  };
  struct Answer {
    enum class Kind : std::uint8_t { promised, newer, refused };
    Kind kind;
    kj::String why = nullptr;  // If it was refused, for the operator.
  };
  // Resolves with `promised` once that is durable and newest() is what the caller took for it.
  kj::Promise<Answer> promise(const Question& question);
  // The last promise that was given.
  const RebuildPromise& promised() const { return promised_; }

  // A snapshot of all that the log holds, without asking the chain.  It holds whatever was
  // acknowledged up to newest().epoch; entries after the index knownCommitted() may never have
  // been.  Fails with OVERLOADED unless the store is sound and belongs to a serving member of
  // newest(), though perhaps to an earlier process of it.
  kj::Promise<kj::Own<SnapshotReader>> unconfirmedSnapshot();
  std::uint64_t knownCommitted() const;

  // A call of the Peer interface by the predecessor (R6).
  using AttachContext = capnp::CallContext<schema::Peer::AttachParams, schema::Peer::AttachResults>;
  kj::Promise<void> attach(AttachContext context, PredecessorLink::Progress progress);
  // A call of the Peer interface by the tail (R5).
  using ReportContext =
      capnp::CallContext<schema::Peer::ReportCommitsParams, schema::Peer::ReportCommitsResults>;
  void hearCommits(ReportContext context);

  // Whether a message with this header must not be obeyed; if so, fills in why.  For messages that
  // belong to the configuration in which this node acts (R1).
  bool reject(const Header& header, kj::Function<schema::Rejection::Builder()> rejection) const;

private:
  kj::Network& network;
  kj::Timer& timer;
  ChainTime& time;
  Store& store_;
  std::uint64_t self;
  Observer& observer;
  const Options options;
  kj::Duration linkPatience;

  Configuration configuration;
  bool acting_ = false;
  std::uint64_t durableEpoch_;
  RebuildPromise promised_;
  // The epoch whose refusal was logged last.
  std::uint64_t saidForbidden = 0;
  // For what remote callers may keep alive longer than this object.
  kj::Canceler canceler;
  kj::ForkedPromise<void> adoption;
  // Memory and disk are brought in line again after the log was cut or a snapshot came.  Nothing
  // else begins before that is done.
  kj::ForkedPromise<void> rebuilt;
  unsigned rebuilding = 0;  // How many of these are not done.

  RecentLog log_;
  CommitTracker tracker;
  auction::State state_;
  std::vector<auction::Event> events;    // What the entries being applied have changed.
  std::vector<auction::Entry> upcoming;  // The entries to apply next.
  std::uint64_t applyTo = 0;
  BatchPtr applying;  // Some of its entries are applied; null: the state is as of a batch's end.
  TurnBudget applyBudget;
  bool sliceDue = false;  // The next slice comes in a later turn.
  std::uint64_t announcedCommit = 0;
  std::uint64_t shown = 0;  // Up to here, what is committed and applied was reported.
  std::uint64_t announcedAssured = 0;
  // The store holds an unfinished snapshot or a damaged log, which must not be built upon.
  bool incomplete;
  Bound bound_;                // The highest that this process has noted, or found in its store.
  Bound savedBound;            // The one in the store.
  bool boundDue = false;       // It is about to be saved.
  std::uint64_t assured_ = 0;  // Committed by epochs that had enough members.
  bool gateTold = false;       // As tail, in this epoch: the gate is being reported to the master.
  Checkpointer checkpointer;

  std::multimap<std::uint64_t, kj::Own<kj::PromiseFulfiller<void>>> commitWaiters;
  std::multimap<std::uint64_t, kj::Own<kj::PromiseFulfiller<void>>> appliedWaiters;
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> barrierWaiters;
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> predecessorWaiters;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> roomWaiter;  // For the predecessor's next append.

  kj::Maybe<kj::Own<SuccessorLink>> successorLink;
  kj::Maybe<kj::Own<PredecessorLink>> predecessorLink;
  kj::Maybe<kj::Own<CommitSender>> commitSender;
  kj::Maybe<kj::Own<CommitReceiver>> commitReceiver;
  ChainConfirm confirm;
  SharedTrial linkTrial;
  DiskWatch diskWatch;
  bool saidHang = false;
  kj::Promise<void> following = nullptr;  // Reads from the store what is durable.
  kj::TaskSet tasks;                      // Last: its tasks use the rest.

  kj::Promise<void> enter(const Configuration& newer);
  void stopActing();
  void startActing();
  void followDisk();
  void diskChecked();
  kj::Promise<void> followDiskAbove(std::uint64_t index);
  void advance();
  void considerCheckpoint();

  // In replica-applying.cc.
  void apply(std::uint64_t upTo);
  void applySlice();
  bool applySome();
  void nextSlice();
  void show();
  void tellApplied();
  kj::Promise<void> whenApplied(std::uint64_t index);
  void answerWaiters();

  // In replica-links.cc.
  void retireSuccessorLink();
  void retirePredecessorLink();
  void retireCommitLinks();
  void reportCommits();
  kj::Promise<void> tryLinksOnce();
  kj::Promise<void> answeredBy(const Member& neighbour, kj::Promise<void> answer);
  void tellTrouble(std::uint64_t epoch, const Member& peer, LinkDirection direction,
                   kj::Maybe<const LinkTrouble&> trouble);

  // In replica-bounds.cc.
  void noteBound();
  void saveBoundSoon();
  void requireBound(const Position& tailEnd) const;
  void requireBoundIn(const Batch& batch) const;
  bool mayGiveUp() const;
  std::uint64_t committedFloor() const;
  std::uint64_t givenUpAfter() const;
  kj::Promise<void> keepGivenUp(std::uint64_t after);
  kj::Promise<kj::Maybe<Position>> giveUp(std::optional<Position> shared);

  // In replica-joining.cc.
  void considerGate();
  kj::Promise<void> tellGate(std::uint64_t epoch);
  bool hasRoom() const;
  kj::Promise<void> dropAll();
  kj::Promise<void> rebuild(kj::Promise<void> change);
  void restart(Image image);

  const RecentLog& log() const override { return log_; }
  std::uint64_t durableForSuccessor() const override { return tracker.toSuccessor(); }
  void heardCommit(std::uint64_t index) override;
  std::uint64_t commitForJoiner() const override { return tracker.commit(); }
  void joinerAttached() override;
  void joinerAligned() override;
  void joinerPersisted(std::uint64_t index) override;
  void heardConfiguration(const Configuration& newer) override;
  void successorUnreachable(std::uint64_t epoch, const Member& successor,
                            kj::StringPtr reason) override;
  void successorTrouble(std::uint64_t epoch, const Member& successor,
                        kj::Maybe<const LinkTrouble&> trouble) override;
  void predecessorTrouble(std::uint64_t epoch, kj::Maybe<const LinkTrouble&> trouble) override;
  void receive(std::vector<BatchPtr> batches, std::uint64_t upstreamDurable,
               std::uint64_t commit) override;
  std::uint64_t commitIndex() const override { return tracker.commit(); }
  kj::Promise<void> commitIsDue() override;
  kj::Promise<void> confirmUpward() override { return confirm.upward(); }
  kj::Promise<std::uint64_t> confirmDownward() override { return confirm.downward(); }
  kj::Promise<void> confirmByPredecessor() override;
  kj::Promise<std::uint64_t> confirmBySuccessor() override;
  kj::Promise<void> whenPastBarrier() override;
  void confirmedCommit(std::uint64_t index) override { heardCommit(index); }
  kj::Promise<void> room() override;
  std::uint64_t durableIndex() const override { return tracker.durable(); }
  kj::Promise<kj::Maybe<Position>> cut(Position position) override;
  kj::Promise<void> beginInstall(Position position) override;
  kj::Promise<void> install(kj::Array<kj::byte> records) override;
  kj::Promise<void> finishInstall(Position position) override;
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::chain
