#pragma once

#include <functional>
#include <vector>

#include <kj/async.h>

#include "base/weak.h"
#include "chain/header.h"
#include "chain/link-watch.h"
#include "log/batch.h"

namespace gavel::chain {

// A node's link to its predecessor, for one epoch and one attachment: takes appends, and
// reports what is committed (R5).  It is dead as soon as it is destroyed: later calls on its
// capability are refused.
//
// A syncing member's predecessor is the tail.  The syncing member takes appends only after cut() or
// install() has brought the two logs together.  From then on it reports what it has on disk (R9).
class PredecessorLink final: private LinkWatch::Host, private kj::TaskSet::ErrorHandler {
public:
  // The replica.  Outlives the link.
  class Host {
  public:
    // Throws if the batches do not follow the log's end.
    virtual void receive(std::vector<BatchPtr> batches, std::uint64_t upstreamDurable,
                         std::uint64_t commit) = 0;
    virtual std::uint64_t commitIndex() const = 0;
    // Resolves once the predecessor may hear what is committed: at once, or a little later where
    // the head knows already.
    virtual kj::Promise<void> commitIsDue() = 0;
    // Resolves once so little is missing on this node's disk that it can take more (R13).
    virtual kj::Promise<void> room() = 0;
    // The predecessor asks for a chain confirm towards the tail (R10).
    virtual kj::Promise<std::uint64_t> confirmDownward() = 0;

    // What is sent to the predecessor does not get there, or is not answered (R6); null:
    // it works again.
    virtual void predecessorTrouble(std::uint64_t epoch, kj::Maybe<const LinkTrouble&> trouble) = 0;

    // For a syncing member; see Link in peer.capnp.  These are carried out even if their
    // promise is dropped.
    virtual std::uint64_t durableIndex() const = 0;
    // Null if `position` is now the log's end.  Otherwise the last position here that may be in the
    // other log.
    virtual kj::Promise<kj::Maybe<Position>> cut(Position position) = 0;
    virtual kj::Promise<void> beginInstall(Position position) = 0;
    virtual kj::Promise<void> install(kj::Array<kj::byte> records) = 0;
    virtual kj::Promise<void> finishInstall(Position position) = 0;
  };

  enum class Kind : std::uint8_t { serving, syncing };

  // The progress of the connection over which the predecessor attached.
  using Progress = std::function<kj::Maybe<TcpProgress>()>;

  // `expected` is the header of each message on this link.  `patience` is that of LinkProgress.
  PredecessorLink(Host& host, kj::Timer& timer, kj::Duration patience, Kind kind, Header expected,
                  schema::Acks::Client acks, Progress progress);
  KJ_DISALLOW_COPY(PredecessorLink);

  // What the predecessor calls.
  schema::Link::Client capability();

  // Resolves once the predecessor, with all members before it, has said that it is still in this
  // epoch (R10).
  kj::Promise<void> confirm();

  // Resolves once the predecessor has answered a large message.
  kj::Promise<void> tryLarge() { return check(LARGE_CHECK); }

  // The commit index or the durable index has grown.
  void wake();

  // Obeys nothing more that comes in, and says so to the predecessor.  That then attaches anew, or
  // learns that its epoch is over.  Otherwise it might have bids that wait, and nothing to send by
  // which it would notice.  For a link that is about to be destroyed.  The caller keeps the
  // promise, which outlives the link.
  kj::Promise<void> close();

private:
  class LinkServer;
  class SinkServer;

  Host& host;
  const Kind kind;
  Header expected;
  schema::Acks::Client acks;
  const Progress connectionProgress;
  bool aligned;                   // Appends may come.
  kj::Maybe<std::uint64_t> told;  // The last number sent.
  bool closed = false;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> idle;
  WeakAnchor<PredecessorLink> anchor;
  LinkWatch watch;
  kj::TaskSet tasks;

  void nowAligned();
  kj::Promise<void> tell();
  kj::Promise<void> tellCommit();
  void taskFailed(kj::Exception&& exception) override;

  kj::Promise<void> check(std::size_t padding) override;
  kj::Maybe<TcpProgress> progress() override { return connectionProgress(); }
  void linkTrouble(kj::Maybe<const LinkTrouble&> trouble) override;
  // The predecessor makes another connection, since its checks are not answered either.
  void linkHopeless() override {}
  // The predecessor has attached anew, or left the epoch.
  void linkRefused(kj::Exception&& why) override {}
};

}  // namespace gavel::chain
