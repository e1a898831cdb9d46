#pragma once

#include <kj/async-io.h>
#include <kj/timer.h>

#include "base/connection.h"
#include "base/weak.h"
#include "chain/header.h"
#include "chain/link-watch.h"
#include "log/recent-log.h"
#include "store/store.h"
#include "topology/configuration.h"

namespace gavel::chain {

// A node's link to its successor, for one epoch: attaches, resends what is missing, streams what is
// new, and hears what is committed (R5, R6).  It keeps trying until it is destroyed.
//
// The tail's successor is the syncing member, if there is one.  With that, the last shared position
// is sought first, or it gets a snapshot.  It reports what it has on disk instead of what is
// committed (R9).
//
// Flow control is that of Cap'n Proto's streaming calls.  While the successor does not keep up,
// entries stay in the log, whose bound pushes back to the head (R13).
class SuccessorLink final: private LinkWatch::Host, private kj::TaskSet::ErrorHandler {
public:
  // The replica.  Outlives the link.
  class Host {
  public:
    virtual const RecentLog& log() const = 0;
    virtual Store& store() = 0;
    // The index up to which this node and all upstream are durable (R5).
    virtual std::uint64_t durableForSuccessor() const = 0;
    virtual void heardCommit(std::uint64_t index) = 0;
    // The commit index, for a syncing successor.
    virtual std::uint64_t commitForJoiner() const = 0;
    // The syncing successor has attached: what it reported before does not count any more.
    virtual void joinerAttached() = 0;
    // The syncing successor's log follows this node's from now on: aligned().
    virtual void joinerAligned() = 0;
    virtual void joinerPersisted(std::uint64_t index) = 0;
    // The successor asks for a chain confirm towards the head (R10).
    virtual kj::Promise<void> confirmUpward() = 0;
    // The successor has adopted a newer one.  This may destroy the link, though not before it
    // returns to the event loop.
    virtual void heardConfiguration(const Configuration& newer) = 0;
    virtual void successorUnreachable(std::uint64_t epoch, const Member& successor,
                                      kj::StringPtr reason) = 0;
    // What is sent to the successor does not get there, or is not answered (R6); null:
    // it works again.
    virtual void successorTrouble(std::uint64_t epoch, const Member& successor,
                                  kj::Maybe<const LinkTrouble&> trouble) = 0;
  };

  // `patience` is that of LinkProgress.
  SuccessorLink(Host& host, kj::Network& network, kj::Timer& timer, kj::Duration patience,
                const Configuration& configuration, std::uint64_t self);
  KJ_DISALLOW_COPY(SuccessorLink);

  // The log or the durable index has grown.
  void wake();

  // Resolves once the successor, with all members after it, has said that it is still in this epoch
  // (R10), with the tail's commit index.  Waits until it is attached.  The promise is dropped
  // before the link is destroyed.
  kj::Promise<std::uint64_t> confirm();

  // Resolves once the successor has answered a large message.
  kj::Promise<void> tryLarge();

  // Obeys nothing more that comes in.  For a link that is about to be destroyed.
  void close() { anchor.clear(); }

  // Whether the successor's log follows this node's: in this attachment everything that was not
  // shared is dropped.
  bool aligned() const { return aligned_; }

private:
  class AcksServer;

  Host& host;
  kj::Network& network;
  kj::Timer& timer;
  const kj::Duration patience;
  Configuration configuration;
  const Member successor;
  Header header;

  // These are of the present attachment.
  kj::Maybe<kj::Own<Connection>> connection;
  kj::Maybe<schema::Link::Client> link;
  kj::Maybe<schema::Link::Client> checks;
  bool aligned_ = false;
  std::uint64_t sentIndex = 0;
  std::uint64_t sentDurable = 0;
  std::uint64_t sentCommit = 0;
  // The snapshot that a syncing successor was given.  It is held until memory reaches back to it,
  // so that the log after the snapshot is not truncated meanwhile.
  kj::Maybe<kj::Own<SnapshotReader>> snapshot;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> idle;    // Fulfilled by wake().
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> broken;  // Rejected to end an attempt.
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> attachWaiters;

  kj::Duration backoff;
  bool reported = false;            // One line per outage is logged, not one per attempt.
  kj::Maybe<kj::TimePoint> toldAt;  // The time of this outage's last report.
  WeakAnchor<SuccessorLink> anchor;
  LinkWatch watch;
  kj::TaskSet tasks;

  kj::Promise<void> run();
  kj::Promise<void> attempt();
  kj::Promise<void> connectAndPump();
  kj::Promise<Position> attach(kj::Duration pause);
  kj::Promise<void> align(Position end);
  kj::Promise<void> cut(Position shared);
  kj::Promise<void> giveSnapshot();
  void alignedAt(Position end);
  kj::Promise<void> pump();
  kj::Promise<void> send(std::vector<BatchPtr> batches);
  void giveUp(kj::Exception&& why);
  void failed(kj::Exception&& exception);
  void taskFailed(kj::Exception&& exception) override;

  kj::Promise<void> check(std::size_t padding) override;
  kj::Maybe<TcpProgress> progress() override;
  void linkTrouble(kj::Maybe<const LinkTrouble&> trouble) override;
  void linkHopeless() override;
  void linkRefused(kj::Exception&& why) override { giveUp(kj::mv(why)); }
};

}  // namespace gavel::chain
