#include "node/service.h"

#include <kj/debug.h>

#include "chain/snapshot-sender.h"
#include "node/node.h"

namespace gavel::node {

Node& Service::node() {
  KJ_IF_MAYBE (node, weak->get()) {
    return *node;
  }
  kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "this node is stopping"));
}

// -- forwarding

template <typename Context, typename Copy>
kj::Promise<void> Service::toHead(Context context, Copy copy) {
  return pass(context, node().replica().newest().head(), kj::mv(copy));
}

template <typename Context, typename Copy>
kj::Promise<void> Service::toTail(Context context, Copy copy) {
  context.allowCancellation();
  return pass(context, node().replica().newest().tail(), kj::mv(copy));
}

template <typename Context, typename Copy>
kj::Promise<void> Service::pass(Context context, const Member* member, Copy copy) {
  return node().forwarder().to(member).then(
      [context, copy = kj::mv(copy)](schema::Auctioneer::Client target) mutable {
        // From here on, a failure means that nobody knows the outcome.  It goes to the caller as it
        // is.
        return context.tailCall(copy(target, context.getParams()));
      },
      [context](kj::Exception&& exception) mutable -> kj::Promise<void> {
        if (exception.getType() != kj::Exception::Type::OVERLOADED) return kj::mv(exception);
        if constexpr (requires { context.getResults().initOutcomes(0u); }) {
          writeUnavailable(context.getParams(), context.getResults(), exception.getDescription());
        } else {
          writeUnavailable(context.getResults(), exception.getDescription());
        }
        return kj::READY_NOW;
      });
}

// -- bids, by the head

kj::Promise<void> Service::openSession(OpenSessionContext context) {
  if (node().admission().takesCalls()) return desk.openSession(context);
  return toHead(context, [](auto& target, auto) { return target.openSessionRequest(); });
}

kj::Promise<void> Service::bid(BidContext context) {
  if (node().admission().takesCalls()) return desk.bid(context);
  return toHead(context, [](auto& target, auto params) {
    auto request = target.bidRequest(params.totalSize());
    request.setRequest(params.getRequest());
    request.setBid(params.getBid());
    return request;
  });
}

kj::Promise<void> Service::bids(BidsContext context) {
  checkCount(context.getParams());
  if (node().admission().takesCalls()) return desk.bids(context);
  return toHead(context, [](auto& target, auto params) {
    auto request = target.bidsRequest(params.totalSize());
    request.setRequests(params.getRequests());
    return request;
  });
}

kj::Promise<void> Service::create(CreateContext context) {
  if (node().admission().takesCalls()) return desk.create(context);
  return toHead(context, [](auto& target, auto params) {
    auto request = target.createRequest(params.totalSize());
    request.setRequest(params.getRequest());
    request.setAuction(params.getAuction());
    request.setOwner(params.getOwner());
    request.setTerms(params.getTerms());
    return request;
  });
}

kj::Promise<void> Service::close(CloseContext context) {
  if (node().admission().takesCalls()) return desk.close(context);
  return toHead(context, [](auto& target, auto params) {
    auto request = target.closeRequest(params.totalSize());
    request.setRequest(params.getRequest());
    request.setAuction(params.getAuction());
    request.setOwner(params.getOwner());
    return request;
  });
}

kj::Promise<void> Service::cancel(CancelContext context) {
  if (node().admission().takesCalls()) return desk.cancel(context);
  return toHead(context, [](auto& target, auto params) {
    auto request = target.cancelRequest(params.totalSize());
    request.setRequest(params.getRequest());
    request.setAuction(params.getAuction());
    request.setOwner(params.getOwner());
    return request;
  });
}

// -- queries, by any serving member (R10)

kj::Promise<void> Service::result(ResultContext context) {
  if (isServing(node().replica().role())) return desk.result(context);
  return toTail(context, [](auto& target, auto params) {
    auto request = target.resultRequest();
    request.setAuction(params.getAuction());
    return request;
  });
}

kj::Promise<void> Service::show(ShowContext context) {
  if (isServing(node().replica().role())) return desk.show(context);
  return toTail(context, [](auto& target, auto params) {
    auto request = target.showRequest();
    request.setAuction(params.getAuction());
    return request;
  });
}

kj::Promise<void> Service::list(ListContext context) {
  if (isServing(node().replica().role())) return desk.list(context);
  return toTail(context, [](auto& target, auto params) {
    auto request = target.listRequest();
    request.setAfter(params.getAfter());
    request.setLimit(params.getLimit());
    return request;
  });
}

kj::Promise<void> Service::history(HistoryContext context) {
  if (isServing(node().replica().role())) return desk.history(context);
  return toTail(context, [](auto& target, auto params) {
    auto request = target.historyRequest();
    request.setAuction(params.getAuction());
    request.setFromVersion(params.getFromVersion());
    request.setLimit(params.getLimit());
    return request;
  });
}

// -- watches, by any serving member

kj::Promise<void> Service::watch(WatchContext context) {
  if (isServing(node().replica().role())) return desk.watch(context);
  return toTail(context, [](auto& target, auto params) {
    auto request = target.watchRequest();
    request.setAuction(params.getAuction());
    request.setFromVersion(params.getFromVersion());
    request.setLimit(params.getLimit());
    return request;
  });
}

kj::Promise<void> Service::watchAll(WatchAllContext context) {
  if (isServing(node().replica().role())) return desk.watchAll(context);
  return toTail(context, [](auto& target, auto params) {
    auto request = target.watchAllRequest();
    request.setAfter(params.getAfter());
    request.setLimit(params.getLimit());
    return request;
  });
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
