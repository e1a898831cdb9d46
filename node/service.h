#pragma once

#include "base/handshake.h"
#include "base/weak.h"
#include "chain/header.h"
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

  kj::Promise<void> openSession(OpenSessionContext context) override;
  kj::Promise<void> bid(BidContext context) override;
  kj::Promise<void> bids(BidsContext context) override;
  kj::Promise<void> create(CreateContext context) override;
  kj::Promise<void> close(CloseContext context) override;
  kj::Promise<void> cancel(CancelContext context) override;
  kj::Promise<void> result(ResultContext context) override;
  kj::Promise<void> show(ShowContext context) override;
  kj::Promise<void> list(ListContext context) override;
  kj::Promise<void> history(HistoryContext context) override;
  kj::Promise<void> watch(WatchContext context) override;
  kj::Promise<void> watchAll(WatchAllContext context) override;

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
  // Pass a call on to the head or the tail.  `copy` makes the request out of the parameters.
  template <typename Context, typename Copy>
  kj::Promise<void> toHead(Context context, Copy copy);
  template <typename Context, typename Copy>
  kj::Promise<void> toTail(Context context, Copy copy);
  template <typename Context, typename Copy>
  kj::Promise<void> pass(Context context, const Member* member, Copy copy);
};

}  // namespace gavel::node
