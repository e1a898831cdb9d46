#pragma once

#include <map>

#include <kj/async-io.h>
#include <kj/timer.h>

#include "base/connection.h"
#include "chain/replica.h"

namespace gavel::node {

// Passes a client's call on to the member whose job it is in the newest configuration.  It has one
// connection per member and epoch, opened when first needed.  All of them end with the epoch, so
// that no call hangs on a node that was removed.
class Forwarder final: private kj::TaskSet::ErrorHandler {
public:
  Forwarder(chain::Replica& replica, kj::Network& network, kj::Timer& timer)
      : replica(replica), network(network), timer(timer), tasks(*this) {}
  KJ_DISALLOW_COPY(Forwarder);

  // Resolves to the member's Auctioneer, which never forwards again.  Fails with OVERLOADED if
  // there is nobody to forward to now; then nothing has left this node.
  kj::Promise<schema::Auctioneer::Client> to(const Member* member);

  // Drops all connections, because the configuration changes.
  void forget();

private:
  // A connection, shared by the calls that wait for it.
  struct Route: public kj::Refcounted {
    kj::Maybe<kj::Own<Connection>> connection;
    kj::Maybe<schema::Auctioneer::Client> auctioneer;
    kj::ForkedPromise<void> opening = nullptr;
    bool broken = false;
    kj::Promise<void> watching = nullptr;
  };

  chain::Replica& replica;
  kj::Network& network;
  kj::Timer& timer;
  std::map<std::uint64_t, kj::Own<Route>> routes;  // By incarnation.

  kj::Canceler canceler;
  kj::TaskSet tasks;

  kj::Promise<void> open(Route& route, const Member& member);
  [[noreturn]] void heed(schema::Rejection::Reader rejection);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::node
