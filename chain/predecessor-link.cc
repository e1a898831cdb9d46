#include "chain/predecessor-link.h"

#include <kj/debug.h>

#include "base/logging.h"
#include "chain/answer-last.h"
#include "store/snapshot-parts.h"

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
    // The head bounds what is not committed, and so what a serving member does not have on its
    // disk.  A joiner holds nobody back, so its predecessor has to wait for it.
    KJ_IF_MAYBE (link, owner->get()) {
      if (link->kind == Kind::syncing) return link->host.room();
    }
    return answerLast();
  }

  kj::Promise<void> check(CheckContext context) override {
    require(context.getParams().getHeader());
    return kj::READY_NOW;
  }

  kj::Promise<void> confirm(ConfirmContext context) override {
    context.allowCancellation();
    return require(context.getParams().getHeader())
        .host.confirmDownward()
        .then([context](std::uint64_t commit) mutable { context.getResults().setCommit(commit); });
  }

  kj::Promise<void> cut(CutContext context) override {
    auto position = readPosition(context.getParams().getPosition());
    return joining(context.getParams().getHeader())
        .host.cut(position)
        .then([weak = owner->addRef(), context](kj::Maybe<Position> candidate) mutable {
          auto result = context.getResults().initResult();
          KJ_IF_MAYBE (other, candidate) {
            writePosition(*other, result.initCandidate());
          } else {
            result.setShared();
            KJ_IF_MAYBE (link, weak->get()) link->nowAligned();
          }
        });
  }

  kj::Promise<void> install(InstallContext context) override;

private:
  kj::Own<Weak<PredecessorLink>> owner;
  Header expected;
  schema::Acks::Client acks;

  PredecessorLink& require(schema::Header::Reader header) {
    KJ_IF_MAYBE (link, owner->get()) {
      KJ_REQUIRE(Header::read(header) == expected, "a message of another link (R1)");
      return *link;
    }
    KJ_FAIL_REQUIRE("this link is over: attach again");
  }

  PredecessorLink& joining(schema::Header::Reader header) {
    auto& link = require(header);
    KJ_REQUIRE(link.kind == Kind::syncing, "only a syncing member drops what it has (R9)");
    KJ_REQUIRE(!link.aligned, "the logs have been brought together before");
    return link;
  }

  void take(schema::Link::AppendParams::Reader params) {
    auto& link = require(params.getHeader());
    KJ_REQUIRE(link.aligned, "the shared position has not been sought yet (R9)");
    std::vector<BatchPtr> batches;
    batches.reserve(params.getBatches().size());
    for (auto bytes: params.getBatches()) batches.push_back(Batch::parse(bytes));
    link.host.receive(kj::mv(batches), params.getDurable(), params.getCommit());
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

// Takes the records of a snapshot (R9).
class PredecessorLink::SinkServer final: public schema::SnapshotSink::Server {
public:
  SinkServer(kj::Own<Weak<PredecessorLink>> owner, Position position)
      : owner(kj::mv(owner)), position(position) {}

  kj::Promise<void> write(WriteContext context) override {
    auto records = context.getParams().getRecords();
    parts.add(records.getData(), records.getChecksum());
    return link().host.install(kj::heapArray<kj::byte>(records.getData()));
  }

  kj::Promise<void> finish(FinishContext context) override {
    parts.finish(context.getParams().getParts());
    return link().host.finishInstall(position).then([weak = owner->addRef()]() mutable {
      KJ_IF_MAYBE (link, weak->get()) link->nowAligned();
    });
  }

private:
  kj::Own<Weak<PredecessorLink>> owner;
  Position position;
  PartsCheck parts;

  PredecessorLink& link() {
    KJ_IF_MAYBE (link, owner->get()) {
      return *link;
    }
    KJ_FAIL_REQUIRE("the link is over that this snapshot came on: attach again");
  }
};

kj::Promise<void> PredecessorLink::LinkServer::install(InstallContext context) {
  auto position = readPosition(context.getParams().getPosition());
  return joining(context.getParams().getHeader())
      .host.beginInstall(position)
      .then([weak = owner->addRef(), position, context]() mutable {
        context.getResults().setSink(kj::heap<SinkServer>(kj::mv(weak), position));
      });
}

PredecessorLink::PredecessorLink(Host& host, kj::Timer& timer, kj::Duration patience, Kind kind,
                                 Header expected, schema::Acks::Client acks, Progress progress)
    : host(host),
      kind(kind),
      expected(expected),
      acks(kj::mv(acks)),
      connectionProgress(kj::mv(progress)),
      aligned(kind == Kind::serving),
      anchor(*this),
      watch(static_cast<LinkWatch::Host&>(*this), timer, patience),
      tasks(*this) {
  watch.connected();
  watch.attached();
  tasks.add(tell());
}

schema::Link::Client PredecessorLink::capability() {
  return kj::heap<LinkServer>(anchor.ref(), expected, acks);
}

kj::Promise<void> PredecessorLink::confirm() {
  auto request = acks.confirmRequest();
  expected.reply().write(request.initHeader());
  return request.send().ignoreResult();
}

kj::Promise<void> PredecessorLink::close() {
  anchor.clear();
  closed = true;
  return tellRefusal(acks, expected, "this link is over: attach again")
      .catch_([](kj::Exception&& exception) {
        logDebug("nobody to tell that a link is over", {{"error", exception.getDescription()}});
      });
}

kj::Promise<void> PredecessorLink::check(std::size_t padding) {
  auto request = acks.checkRequest(capnp::MessageSize{padding / sizeof(capnp::word) + 16, 0});
  expected.reply().write(request.initHeader());
  request.initPadding(static_cast<unsigned>(padding));
  return request.send().ignoreResult();
}

void PredecessorLink::linkTrouble(kj::Maybe<const LinkTrouble&> trouble) {
  if (!closed) host.predecessorTrouble(expected.epoch, trouble);
}

void PredecessorLink::wake() {
  KJ_IF_MAYBE (fulfiller, idle) {
    (*fulfiller)->fulfill();
    idle = nullptr;
  }
}

void PredecessorLink::nowAligned() {
  aligned = true;
  wake();
}

kj::Promise<void> PredecessorLink::tell() {
  // A number of a later epoch must never be reported in this one.  A predecessor that was removed
  // may hold other entries at those indexes.
  if (closed) return kj::READY_NOW;
  bool syncing = kind == Kind::syncing;
  auto number = syncing ? host.durableIndex() : host.commitIndex();
  if (!aligned || told.map([&](auto last) { return last == number; }).orDefault(false)) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    idle = kj::mv(paf.fulfiller);
    return paf.promise.then([this]() { return tell(); });
  }
  if (!syncing) return host.commitIsDue().then([this]() { return tellCommit(); });
  told = number;
  watch.sent(0);
  auto request = acks.persistedRequest();
  expected.reply().write(request.initHeader());
  request.setDurable(number);
  return request.send().then([this]() { return tell(); });
}

kj::Promise<void> PredecessorLink::tellCommit() {
  if (closed) return kj::READY_NOW;
  auto commit = host.commitIndex();
  told = commit;
  watch.sent(0);
  auto request = acks.committedRequest();
  expected.reply().write(request.initHeader());
  request.setCommit(commit);
  return request.send().then([this]() { return tell(); });
}

void PredecessorLink::taskFailed(kj::Exception&& exception) {
  // The predecessor is gone or will attach again.  Either way nobody is left to hear of it.
  logDebug("the link to the predecessor ended", {{"error", exception.getDescription()}});
}

}  // namespace gavel::chain
