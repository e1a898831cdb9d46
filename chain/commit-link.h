#pragma once

#include <kj/async-io.h>
#include <kj/timer.h>

#include "base/connection.h"
#include "base/weak.h"
#include "chain/header.h"
#include "topology/configuration.h"

// The short way for the tail to report what is committed (R5): to the head at once, which has
// bids to answer, and not from node to node.  It is the same number by another way, so it needs
// no more trust than the one that comes over the links.  That one comes as well, so nothing waits
// for this one.
namespace gavel::chain {

// At the tail: reports to the head, for one epoch.  It keeps trying until it is destroyed.
class CommitSender final: private kj::TaskSet::ErrorHandler {
public:
  // The replica.  Outlives this object.
  class Host {
  public:
    virtual std::uint64_t commitIndex() const = 0;
  };

  // `self` is the tail of `configuration`, and not its head.
  CommitSender(const Host& host, kj::Network& network, kj::Timer& timer,
               const Configuration& configuration, std::uint64_t self);
  KJ_DISALLOW_COPY(CommitSender);

  // The commit index has grown.
  void wake();
  // Whether the head hears by this way what is committed.
  bool attached() const { return to != nullptr; }

private:
  const Host& host;
  kj::Network& network;
  kj::Timer& timer;
  const Member head;
  const Header header;
  kj::Maybe<kj::Own<Connection>> connection;
  kj::Maybe<schema::Commits::Client> to;
  std::uint64_t told = 0;
  kj::Duration backoff;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> idle;  // Fulfilled by wake().
  kj::TaskSet tasks;

  kj::Promise<void> run();
  kj::Promise<void> attempt();
  kj::Promise<void> attach();
  kj::Promise<void> pump();
  void taskFailed(kj::Exception&& exception) override;
};

// At the head: hears the tail, in one epoch.
class CommitReceiver {
public:
  class Host {
  public:
    virtual void heardCommit(std::uint64_t index) = 0;
  };

  // `expected` is the header of each message.
  CommitReceiver(Host& host, Header expected): host(host), expected(expected), anchor(*this) {}
  KJ_DISALLOW_COPY(CommitReceiver);

  // What the tail calls.
  schema::Commits::Client capability();
  // Obeys nothing more that comes in.
  void close() { anchor.clear(); }

private:
  class Server;

  Host& host;
  const Header expected;
  WeakAnchor<CommitReceiver> anchor;
};

}  // namespace gavel::chain
