#pragma once

#include <map>
#include <string>

#include <kj/async-io.h>
#include <kj/refcount.h>
#include <kj/timer.h>

#include "base/connection.h"
#include "schema/master.capnp.h"
#include "schema/peer.capnp.h"

namespace gavel::client {

// A connection to one node or master.  It is shared: calls under way keep it open after the pool
// has given it up, as they may still be answered.
class Peer final: public kj::Refcounted {
public:
  Peer(kj::StringPtr address, std::uint64_t serial, kj::Own<Connection> connection);
  KJ_DISALLOW_COPY(Peer);

  kj::Own<Peer> addRef() { return kj::addRef(*this); }
  kj::StringPtr address() const { return address_; }
  std::uint64_t serial() const { return serial_; }
  kj::Promise<void> onDisconnect() { return connection->onDisconnect(); }

  // The cluster of the process, which does not change while it runs; 0: not known, or none yet.
  std::uint64_t cluster() const { return cluster_; }
  void belongsTo(std::uint64_t cluster) { cluster_ = cluster; }

  // Only nodes serve this; masters answer UNIMPLEMENTED.
  schema::Auctioneer::Client& auctioneer() { return auctioneer_; }
  schema::Topology::Client& topology() { return topology_; }
  // Interfaces for operators, the first of a master and the second of a node.  The other kind of
  // process answers UNIMPLEMENTED.
  schema::Operator::Client masterOperator() { return topology_.castAs<schema::Operator>(); }
  schema::SnapshotSource::Client snapshotSource() {
    return topology_.castAs<schema::SnapshotSource>();
  }

private:
  kj::String address_;
  std::uint64_t serial_;  // Distinguishes it from other connections of the pool.
  std::uint64_t cluster_ = 0;
  kj::Own<Connection> connection;
  schema::Auctioneer::Client auctioneer_;
  schema::Topology::Client topology_;
};

// Keeps at most one connection per address.  It is made on the first request, and again after it
// broke.
class ConnectionPool final: private kj::TaskSet::ErrorHandler {
public:
  // `network` and `timer` must outlive this object.
  ConnectionPool(kj::Network& network, kj::Timer& timer, kj::Duration connectTimeout);
  KJ_DISALLOW_COPY(ConnectionPool);

  // The connection to `address`, if there is one.
  kj::Maybe<kj::Own<Peer>> find(kj::StringPtr address);

  // The connection to `address` ("host:port").  Fails as Connection::open() does.
  kj::Promise<kj::Own<Peer>> get(kj::StringPtr address);

  // Makes the next get() connect anew, if `peer` is what it would return.  For connections on which
  // a call failed or was not answered: a peer that lost its power never closes them.
  void giveUp(const Peer& peer) { giveUp(peer.address(), peer.serial()); }

private:
  struct Slot {
    kj::Maybe<kj::Own<Peer>> peer;
    kj::ForkedPromise<kj::Own<Peer>> connecting = nullptr;
    bool pending = false;
  };

  kj::Network& network;
  kj::Timer& timer;
  kj::Duration connectTimeout;
  std::map<std::string, Slot> slots;
  std::uint64_t lastSerial = 0;
  kj::TaskSet tasks;  // Watches the connections.

  kj::Own<Peer> connected(const std::string& address, kj::Own<Connection> connection);
  void giveUp(kj::StringPtr address, std::uint64_t serial);
  void taskFailed(kj::Exception&& exception) override {}
};

}  // namespace gavel::client
