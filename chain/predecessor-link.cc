#include "chain/predecessor-link.h"

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel::chain {

namespace {

kj::Promise<void> tellRefusal(schema::Acks::Client& acks, const Header& expected,
                              kj::StringPtr detail) {
  auto request = acks.refusedRequest();
  expected.reply().write(request.initHeader());
  request.setDetail(detail);
  return request.send().ignoreResult();
}

}  // namespace

class PredecessorLink::LinkServer final: public schema::Link::Server {
public:
  LinkServer(kj::Own<Weak<PredecessorLink>> owner, Header expected, schema::Acks::Client acks)
      : owner(kj::mv(owner)), expected(expected), acks(kj::mv(acks)) {}

  kj::Promise<void> append(AppendContext context) override {
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { take(context.getParams()); })) {
      return refuse(kj::mv(*exception));
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> check(CheckContext context) override {
    if (owner->get() == nullptr) return KJ_EXCEPTION(FAILED, "this link is over: attach again");
    KJ_REQUIRE(Header::read(context.getParams().getHeader()) == expected,
               "a message of another link (R1)");
    return kj::READY_NOW;
  }

private:
  kj::Own<Weak<PredecessorLink>> owner;
  Header expected;
  schema::Acks::Client acks;

  void take(schema::Link::AppendParams::Reader params) {
    KJ_IF_MAYBE (link, owner->get()) {
      KJ_REQUIRE(Header::read(params.getHeader()) == expected, "a message of another link (R1)");
      std::vector<BatchPtr> batches;
      batches.reserve(params.getBatches().size());
      for (auto bytes: params.getBatches()) batches.push_back(Batch::parse(bytes));
      link->host.receive(kj::mv(batches), params.getDurable());
      return;
    }
    KJ_FAIL_REQUIRE("this link is over: attach again");
  }

  // The predecessor must hear of it even if it has nothing more to send, since it may be a deposed
  // head with bids that wait for an answer.
  kj::Promise<void> refuse(kj::Exception&& exception) {
    logWarning("refusing what the predecessor sent",
               {{"epoch", expected.epoch}, {"error", exception.getDescription()}});
    return tellRefusal(acks, expected, exception.getDescription())
        .then([exception = kj::mv(exception)]() mutable -> kj::Promise<void> {
          return kj::mv(exception);
        });
  }
};

PredecessorLink::PredecessorLink(Host& host, Header expected, schema::Acks::Client acks)
    : host(host), expected(expected), acks(kj::mv(acks)), anchor(*this), tasks(*this) {
  tasks.add(tellCommits());
}

schema::Link::Client PredecessorLink::capability() {
  return kj::heap<LinkServer>(anchor.ref(), expected, acks);
}

kj::Promise<void> PredecessorLink::close() {
  anchor.clear();
  closed = true;
  return tellRefusal(acks, expected, "this link is over: attach again")
      .catch_([](kj::Exception&& exception) {
        logDebug("nobody to tell that a link is over", {{"error", exception.getDescription()}});
      });
}

void PredecessorLink::wake() {
  KJ_IF_MAYBE (fulfiller, idle) {
    (*fulfiller)->fulfill();
    idle = nullptr;
  }
}

kj::Promise<void> PredecessorLink::tellCommits() {
  // A commit index of a later epoch must never be told in this one: the predecessor, if it was
  // removed, may hold other entries at those indexes.
  if (closed) return kj::READY_NOW;
  auto commit = host.commitIndex();
  if (commit == toldCommit) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    idle = kj::mv(paf.fulfiller);
    return paf.promise.then([this]() { return tellCommits(); });
  }
  toldCommit = commit;
  auto request = acks.committedRequest();
  expected.reply().write(request.initHeader());
  request.setCommit(commit);
  return request.send().then([this]() { return tellCommits(); });
}

void PredecessorLink::taskFailed(kj::Exception&& exception) {
  // The predecessor is gone, or will attach again: either way there is nobody to tell.
  logDebug("the link to the predecessor ended", {{"error", exception.getDescription()}});
}

}  // namespace gavel::chain
