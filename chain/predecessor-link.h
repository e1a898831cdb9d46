#pragma once

#include <vector>

#include <kj/async.h>

#include "base/weak.h"
#include "chain/batch.h"
#include "chain/header.h"

namespace gavel::chain {

// A node's link to its predecessor, for one epoch and attachment: takes appends, and tells what is
// committed (R5).  Dead as soon as it is destroyed: later calls on its capability are refused.
class PredecessorLink final: private kj::TaskSet::ErrorHandler {
public:
  // The replica.  Outlives the link.
  class Host {
  public:
    // Throws if the batches do not follow the log's end.
    virtual void receive(std::vector<BatchPtr> batches, std::uint64_t upstreamDurable) = 0;
    virtual std::uint64_t commitIndex() const = 0;
  };

  // `expected` is the header of each message on this link.
  PredecessorLink(Host& host, Header expected, schema::Acks::Client acks);
  KJ_DISALLOW_COPY(PredecessorLink);

  // What the predecessor calls.
  schema::Link::Client capability();

  // The commit index has grown.
  void wake();

  // Obeys nothing more that comes in, and tells the predecessor so, which then attaches anew or
  // learns that its epoch is over: it may have bids that wait, and nothing to send by which it
  // would notice. For a link that is about to be destroyed; the promise is the caller's to keep,
  // and outlives the link.
  kj::Promise<void> close();

private:
  class LinkServer;

  Host& host;
  Header expected;
  schema::Acks::Client acks;
  std::uint64_t toldCommit = 0;
  bool closed = false;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> idle;
  WeakAnchor<PredecessorLink> anchor;
  kj::TaskSet tasks;

  kj::Promise<void> tellCommits();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::chain
