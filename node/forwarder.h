#pragma once

#include <map>

#include <capnp/schema.h>
#include <kj/async-io.h>
#include <kj/timer.h>

#include "base/connection.h"
#include "chain/replica.h"

namespace gavel::node {

// Passes a client's call on to the member whose job it is in the newest configuration.  Calls of
// all methods are passed on alike and whole, with fields that this node's schema does not know.
//
// It has one connection per member, opened when first needed.  The connection ends when the member
// leaves the chain, so that no call hangs on a node that was removed.
//
// A call that nobody has got fails as `unavailable`.  If the connection is lost after that, or no
// answer comes for long, what became of a bid is not known, and its outcome says so; a query may be
// asked again.
//
// Calls under way take a bounded number of bytes.  One more is refused as `unavailable` (R13).
class Forwarder final: private kj::TaskSet::ErrorHandler {
public:
  using Call = capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer>;

  struct Limits {
    // The most that calls under way to one member may take.
    std::size_t bytes = 64 << 20;
    // Longer than a chain takes to be re-linked and to answer what has waited for that.
    kj::Duration answer = 5 * kj::SECONDS;
  };

  Forwarder(chain::Replica& replica, kj::Network& network, kj::Timer& timer, Limits limits)
      : replica(replica), network(network), timer(timer), limits(limits), tasks(*this) {}
  KJ_DISALLOW_COPY(Forwarder);

  // `method` is one of Auctioneer's.  The member answers the call itself, or refuses it: it never
  // forwards again.
  kj::Promise<void> pass(capnp::InterfaceSchema::Method method, Call call, const Member* member);
  // Drops the connections to nodes that are no members any more.
  void adopted();

private:
  // A connection, shared by the calls that use it.
  struct Route: public kj::Refcounted {
    explicit Route(std::string name): name(std::move(name)) {}

    const std::string name;
    kj::Maybe<kj::Own<Connection>> connection;
    kj::Maybe<schema::Auctioneer::Client> auctioneer;
    kj::ForkedPromise<void> opening = nullptr;
    bool broken = false;   // The next call opens another one.
    std::size_t held = 0;  // Bytes of the calls under way.
    // Set when the member has left the chain: calls that waited for the connection are refused.
    kj::Maybe<kj::Exception> removed = nullptr;
    kj::Promise<void> watching = nullptr;
    kj::Canceler calls;
  };

  chain::Replica& replica;
  kj::Network& network;
  kj::Timer& timer;
  const Limits limits;
  std::map<std::uint64_t, kj::Own<Route>> routes;  // By incarnation.
  kj::Canceler canceler;
  kj::TaskSet tasks;

  // Fails with OVERLOADED if there is nobody to forward to now.
  kj::Promise<kj::Own<Route>> to(const Member* member);
  kj::Promise<void> open(Route& route, const Member& member);
  // `route` outlives the promise.
  kj::Promise<void> send(capnp::InterfaceSchema::Method method, Call call, Route& route);
  [[noreturn]] void heed(schema::Rejection::Reader rejection);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::node
