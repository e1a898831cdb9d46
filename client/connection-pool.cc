#include "client/connection-pool.h"

namespace gavel::client {

Peer::Peer(kj::StringPtr address, std::uint64_t serial, kj::Own<Connection> connection)
    : address_(kj::str(address)),
      serial_(serial),
      connection(kj::mv(connection)),
      auctioneer_(this->connection->bootstrap<schema::Auctioneer>()),
      topology_(auctioneer_.castAs<schema::Topology>()) {}

ConnectionPool::ConnectionPool(kj::Network& network, kj::Timer& timer, kj::Duration connectTimeout)
    : network(network), timer(timer), connectTimeout(connectTimeout), tasks(*this) {}

kj::Maybe<kj::Own<Peer>> ConnectionPool::find(kj::StringPtr address) {
  auto found = slots.find(address.cStr());
  if (found == slots.end()) return nullptr;
  return found->second.peer.map([](kj::Own<Peer>& peer) { return peer->addRef(); });
}

kj::Promise<kj::Own<Peer>> ConnectionPool::get(kj::StringPtr address) {
  std::string key = address.cStr();
  auto& slot = slots[key];
  KJ_IF_MAYBE (peer, slot.peer) {
    return (*peer)->addRef();
  }
  if (!slot.pending) {
    slot.pending = true;
    // Slots are never erased, so references to them stay valid.  A failed attempt is only marked
    // here and replaced by the next call, because its promise must not be dropped while it runs.
    slot.connecting = Connection::open(network, timer, address, connectTimeout)
                          .then(
                              [this, key, &slot](kj::Own<Connection> connection) {
                                slot.pending = false;
                                return connected(key, kj::mv(connection));
                              },
                              [&slot](kj::Exception&& e) -> kj::Own<Peer> {
                                slot.pending = false;
                                kj::throwFatalException(kj::mv(e));
                              })
                          .fork();
  }
  return slot.connecting.addBranch();
}

kj::Own<Peer> ConnectionPool::connected(const std::string& address,
                                        kj::Own<Connection> connection) {
  kj::StringPtr text(address.c_str(), address.size());
  auto serial = ++lastSerial;
  auto peer = kj::refcounted<Peer>(text, serial, kj::mv(connection));
  slots[address].peer = peer->addRef();
  // Holds only the serial of the connection, so that it does not keep the connection open.
  tasks.add(peer->onDisconnect().then([this, address, serial]() {
    giveUp(kj::StringPtr(address.c_str(), address.size()), serial);
  }));
  return peer;
}

void ConnectionPool::giveUp(kj::StringPtr address, std::uint64_t serial) {
  auto found = slots.find(address.cStr());
  if (found == slots.end()) return;
  auto& slot = found->second;
  KJ_IF_MAYBE (peer, slot.peer) {
    if ((*peer)->serial() != serial) return;
    slot.peer = nullptr;
    slot.connecting = nullptr;  // It holds a reference as well.
  }
}

}  // namespace gavel::client
