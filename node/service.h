#pragma once

#include "base/handshake.h"
#include "base/weak.h"
#include "chain/header.h"
#include "node/forwarder.h"
#include "node/local-desk.h"
#include "schema/peer.capnp.h"

namespace gavel::node {

class Node;

// A node's bootstrap interface: Auctioneer and Topology for everybody, Peer for nodes and masters,
// and backups for operators.  It answers bids as head, and queries as any serving member (R10).
// Other calls it passes on (see docs/design.md, 'Messages between processes').
class Service final: public schema::NodeService::Server {
public:
  Service(kj::Own<Weak<Node>> node, Access access)
      : weak(kj::mv(node)), access(access), desk(weak->addRef()) {}

  // Calls of Auctioneer, of any method.
  DispatchCallResult dispatchCall(std::uint64_t interface, std::uint16_t ordinal,
                                  Forwarder::Call call) override;

  kj::Promise<void> configuration(ConfigurationContext context) override;
  kj::Promise<void> status(StatusContext context) override;
  kj::Promise<void> tryLinks(TryLinksContext context) override;

  kj::Promise<void> attach(AttachContext context) override;
  kj::Promise<void> forward(ForwardContext context) override;
  kj::Promise<void> reportCommits(ReportCommitsContext context) override;

  kj::Promise<void> promise(PromiseContext context) override;
  kj::Promise<void> snapshot(SnapshotContext context) override;

private:
  kj::Own<Weak<Node>> weak;
  const Access access;
  LocalDesk desk;

  Node& node();
};

}  // namespace gavel::node
