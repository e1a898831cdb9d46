#include "node/service.h"

#include <kj/debug.h>

#include "chain/snapshot-sender.h"
#include "node/node.h"
#include "node/results.h"

namespace gavel::node {

Node& Service::node() {
  KJ_IF_MAYBE (node, weak->get()) {
    return *node;
  }
  kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "this node is stopping"));
}

// -- calls of Auctioneer

capnp::Capability::Server::DispatchCallResult Service::dispatchCall(std::uint64_t interface,
                                                                    std::uint16_t ordinal,
                                                                    Forwarder::Call call) {
  auto auctioneer = capnp::Schema::from<schema::Auctioneer>();
  if (interface != auctioneer.getProto().getId() || ordinal >= auctioneer.getMethods().size()) {
    return schema::NodeService::Server::dispatchCall(interface, ordinal, call);
  }
  bool write = isWrite(ordinal);
  auto& replica = node().replica();
  bool ours = write ? node().admission().takesCalls() : isServing(replica.role());
  if (ours) return desk.dispatchCall(interface, ordinal, call);
  if (!write) call.allowCancellation();
  auto& newest = replica.newest();
  auto method = auctioneer.getMethods()[ordinal];
  return {node().forwarder().pass(method, call, write ? newest.head() : newest.tail()), false};
}

// -- topology

kj::Promise<void> Service::configuration(ConfigurationContext context) {
  node().replica().newest().write(context.getResults().initConfiguration());
  return kj::READY_NOW;
}

kj::Promise<void> Service::status(StatusContext context) {
  // To hash all of the state takes long, so not everybody gets it.
  bool withHash = context.getParams().getWithStateHash() && (access.peer || access.admin);
  node().writeStatus(context.getResults().initStatus(), withHash);
  return kj::READY_NOW;
}

kj::Promise<void> Service::tryLinks(TryLinksContext context) {
  context.allowCancellation();
  return node().replica().tryLinks();
}

// -- other nodes

kj::Promise<void> Service::attach(AttachContext context) {
  requirePeer(access, "attaching as predecessor");
  return node().replica().attach(context, access.progress);
}

kj::Promise<void> Service::forward(ForwardContext context) {
  requirePeer(access, "forwarding");
  auto result = context.getResults().initResult();
  auto header = chain::Header::read(context.getParams().getHeader());
  if (!node().replica().reject(header, [&]() { return result.initRejected(); })) {
    result.setAuctioneer(kj::heap<LocalDesk>(weak->addRef()));
  }
  return kj::READY_NOW;
}

kj::Promise<void> Service::reportCommits(ReportCommitsContext context) {
  requirePeer(access, "reporting commits");
  node().replica().hearCommits(context);
  return kj::READY_NOW;
}

// -- a master that is made anew

kj::Promise<void> Service::promise(PromiseContext context) {
  requirePeer(access, "asking for a promise");
  return node().promise(context);
}

// -- backups

kj::Promise<void> Service::snapshot(SnapshotContext context) {
  requireAdmin(access, "taking a backup");
  // This only reads, and may take long, so it ends with its caller.
  context.allowCancellation();
  bool unconfirmed = context.getParams().getUnconfirmed();
  auto& replica = node().replica();
  auto opened = unconfirmed ? replica.unconfirmedSnapshot() : replica.snapshot();
  return opened.then([this, context, unconfirmed](kj::Own<SnapshotReader> reader) mutable {
    auto& source = *reader;
    auto begin = context.getParams().getReceiver().beginRequest();
    auto header = begin.initHeader();
    node().writeSnapshotHeader(source.position(), header);
    if (unconfirmed) {
      header.setUnconfirmed(true);
      header.setCommitted(node().replica().knownCommitted());
    }
    return chain::sendSnapshot(source, begin.send().getSink(), node().timer())
        .ignoreResult()
        .attach(kj::mv(reader));
  });
}

}  // namespace gavel::node
