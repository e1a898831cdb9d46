#include "chain/successor-link.h"

#include <algorithm>

#include <kj/debug.h>

#include "base/logging.h"
#include "base/planted.h"
#include "chain/answer-last.h"
#include "chain/snapshot-sender.h"

namespace gavel::chain {
namespace {

// A kernel that gets no answer tries again after a second.  Another connection does so sooner.
constexpr auto LEAST_CONNECT_TIMEOUT = 500 * kj::MILLISECONDS;
// The successor syncs a configuration to its disk when it adopts it.
constexpr auto FIRST_PAUSE = 1 * kj::MILLISECONDS;
constexpr auto LONGEST_PAUSE = 10 * kj::MILLISECONDS;
// How often the master hears of it while there is no link.
constexpr auto REPORT_INTERVAL = 1 * kj::SECONDS;
constexpr auto FIRST_BACKOFF = 5 * kj::MILLISECONDS;
constexpr auto LONGEST_BACKOFF = 200 * kj::MILLISECONDS;
// Well below the RPC layer's limit of 64 MiB, and large enough to keep a fast link busy.
constexpr std::size_t APPEND_BYTES = 256 * 1024;

}  // namespace

class SuccessorLink::AcksServer final: public schema::Acks::Server {
public:
  AcksServer(kj::Own<Weak<SuccessorLink>> owner, Header expected)
      : owner(kj::mv(owner)), expected(expected) {}

  kj::Promise<void> committed(CommittedContext context) override {
    auto params = context.getParams();
    require(params.getHeader());
    KJ_IF_MAYBE (link, owner->get()) link->host.heardCommit(params.getCommit());
    return answerLast();
  }

  kj::Promise<void> persisted(PersistedContext context) override {
    auto params = context.getParams();
    require(params.getHeader());
    KJ_IF_MAYBE (link, owner->get()) link->host.joinerPersisted(params.getDurable());
    return kj::READY_NOW;
  }

  kj::Promise<void> confirm(ConfirmContext context) override {
    context.allowCancellation();
    require(context.getParams().getHeader());
    KJ_IF_MAYBE (link, owner->get()) {
      return link->host.confirmUpward();
    }
    return KJ_EXCEPTION(OVERLOADED, "this node has left the epoch: attach again");
  }

  kj::Promise<void> check(CheckContext context) override {
    require(context.getParams().getHeader());
    return kj::READY_NOW;
  }

  kj::Promise<void> refused(RefusedContext context) override {
    auto params = context.getParams();
    require(params.getHeader());
    KJ_IF_MAYBE (link, owner->get()) {
      link->giveUp(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                 kj::str("the successor refused: ", params.getDetail())));
    }
    return kj::READY_NOW;
  }

private:
  kj::Own<Weak<SuccessorLink>> owner;
  Header expected;

  void require(schema::Header::Reader reader) {
    KJ_REQUIRE(Header::read(reader) == expected, "acknowledgment of another link (R1)");
  }
};

SuccessorLink::SuccessorLink(Host& host, kj::Network& network, kj::Timer& timer,
                             kj::Duration patience, const Configuration& configuration,
                             std::uint64_t self)
    : host(host),
      network(network),
      timer(timer),
      patience(patience),
      configuration(configuration),
      successor(*KJ_ASSERT_NONNULL(kj::Maybe<const Member*>(configuration.successor(self)))),
      header{configuration.clusterId, configuration.epoch, self, successor.incarnation},
      backoff(FIRST_BACKOFF),
      anchor(*this),
      watch(static_cast<LinkWatch::Host&>(*this), timer, patience),
      tasks(*this) {
  tasks.add(run());
}

void SuccessorLink::wake() {
  KJ_IF_MAYBE (fulfiller, idle) {
    (*fulfiller)->fulfill();
    idle = nullptr;
  }
}

kj::Promise<std::uint64_t> SuccessorLink::confirm() {
  KJ_IF_MAYBE (to, link) {
    auto request = to->confirmRequest();
    header.write(request.initHeader());
    return request.send().then([](auto&& response) { return response.getCommit(); });
  }
  auto paf = kj::newPromiseAndFulfiller<void>();
  attachWaiters.push_back(kj::mv(paf.fulfiller));
  return paf.promise.then([this]() { return confirm(); });
}

kj::Promise<void> SuccessorLink::tryLarge() {
  if (checks == nullptr) return KJ_EXCEPTION(DISCONNECTED, "not attached");
  return check(LARGE_CHECK);
}

kj::Promise<void> SuccessorLink::run() {
  return attempt()
      .then([]() {}, [this](kj::Exception&& exception) { failed(kj::mv(exception)); })
      .then([this]() {
        auto delay = backoff;
        backoff = std::min(backoff * 2, kj::Duration(LONGEST_BACKOFF));
        return timer.afterDelay(delay);
      })
      .then([this]() { return run(); });
}

kj::Promise<void> SuccessorLink::attempt() {
  link = nullptr;
  checks = nullptr;
  connection = nullptr;
  snapshot = nullptr;
  aligned_ = false;
  watch.asked();
  auto paf = kj::newPromiseAndFulfiller<void>();
  broken = kj::mv(paf.fulfiller);
  return connectAndPump().exclusiveJoin(kj::mv(paf.promise));
}

// After the connection there are no deadlines.  The watch reports what brings nothing.  An
// attachment may take as long as a sync or a snapshot needs, while the successor answers.
kj::Promise<void> SuccessorLink::connectAndPump() {
  auto timeout = kj::max(patience / 2, kj::Duration(LEAST_CONNECT_TIMEOUT));
  return Connection::open(network, timer, successor.address.c_str(), timeout)
      .then([this](kj::Own<Connection> opened) {
        auto gone = opened->onDisconnect().then([]() -> kj::Promise<void> {
          return KJ_EXCEPTION(DISCONNECTED, "the successor closed the connection");
        });
        connection = kj::mv(opened);
        watch.answered();
        watch.connected();
        return attach(FIRST_PAUSE)
            .then([this](Position end) {
              watch.attached();
              return align(end);
            })
            .then([this]() { return pump(); })
            .exclusiveJoin(kj::mv(gone));
      });
}

kj::Promise<Position> SuccessorLink::attach(kj::Duration pause) {
  auto peer = KJ_ASSERT_NONNULL(connection)->bootstrap<schema::NodeService>();
  auto request = peer.attachRequest();
  header.write(request.initHeader());
  request.setProtocolVersion(schema::PROTOCOL_VERSION);
  configuration.write(request.initConfiguration());
  writePosition(host.log().end(), request.initEnd());
  request.setAcks(kj::heap<AcksServer>(anchor.ref(), header.reply()));
  watch.asked();
  return request.send().then([this, pause](auto&& response) -> kj::Promise<Position> {
    watch.answered();
    auto result = response.getResult();
    if (result.isRejected()) {
      auto rejection = result.getRejected();
      if (rejection.getReason() == schema::Rejection::Reason::BUSY) {
        auto next = kj::min(2 * pause, kj::Duration(LONGEST_PAUSE));
        return timer.afterDelay(pause).then([this, next]() { return attach(next); });
      }
      if (rejection.getReason() == schema::Rejection::Reason::LOWER_EPOCH) {
        host.heardConfiguration(Configuration::read(rejection.getConfiguration()));
      }
      kj::throwFatalException(
          kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                        kj::str("the successor rejected the attachment: ", rejection.getDetail())));
    }
    link = result.getAttached().getLink();
    checks = result.getAttached().getChecks();
    for (auto& waiter: attachWaiters) waiter->fulfill();
    attachWaiters.clear();
    return readPosition(result.getAttached().getEnd());
  });
}

kj::Promise<void> SuccessorLink::align(Position end) {
  if (!successor.serving) {
    host.joinerAttached();
    return cut(end);
  }
  if (!host.log().contains(end)) {
    // Logs of serving members are prefixes of each other (R4).  Whichever of the two is wrong, to
    // go on could overwrite what was acknowledged.
    die("the successor holds entries that this node does not: stopping before more is lost",
        {{"successor", successor.name},
         {"epoch", header.epoch},
         {"its_end", end.index},
         {"its_end_epoch", end.epoch},
         {"own_end", host.log().end().index},
         {"own_end_epoch", host.log().end().epoch}});
  }
  alignedAt(end);
  return kj::READY_NOW;
}

// Seeks the last position that both logs have (R9), alternately in the two, beginning with the end
// of the successor's.  Each answers with its own last position that may be in the other.  In one
// epoch there was one head, so the two differ within it only by where they end.  Hence this takes
// about two steps for each epoch in what the successor has to drop.
kj::Promise<void> SuccessorLink::cut(Position limit) {
  kj::Promise<kj::Maybe<Position>> own = kj::Maybe<Position>(nullptr);
  if (auto inMemory = host.log().lastWithin(limit)) {
    own = kj::Maybe<Position>(*inMemory);
  } else {
    own = host.store().lastWithin(limit);
  }
  return own.then([this](kj::Maybe<Position> candidate) -> kj::Promise<void> {
    KJ_IF_MAYBE (position, candidate) {
      auto request = KJ_ASSERT_NONNULL(link).cutRequest();
      header.write(request.initHeader());
      writePosition(*position, request.initPosition());
      return request.send().then(
          [this, position = *position](auto&& response) -> kj::Promise<void> {
            auto result = response.getResult();
            if (result.isShared()) {
              alignedAt(position);
              return kj::READY_NOW;
            }
            auto next = readPosition(result.getCandidate());
            KJ_REQUIRE(next.index < position.index || next.epoch < position.epoch,
                       "the joining node does not come closer to a shared position", next.epoch,
                       next.index, position.epoch, position.index);
            return cut(next);
          });
    }
    // This log begins above the successor's: nothing can be compared.
    return giveSnapshot();
  });
}

kj::Promise<void> SuccessorLink::giveSnapshot() {
  auto reader = host.store().openSnapshot();
  auto& source = *reader;
  auto position = reader->position();
  snapshot = kj::mv(reader);
  logInfo("sending a snapshot",
          {{"epoch", header.epoch}, {"successor", successor.name}, {"index", position.index}});
  auto request = KJ_ASSERT_NONNULL(link).installRequest();
  header.write(request.initHeader());
  writePosition(position, request.initPosition());
  return sendSnapshot(source, request.send().getSink(), timer).then([this, position](auto) {
    alignedAt(position);
  });
}

void SuccessorLink::alignedAt(Position end) {
  aligned_ = true;
  sentIndex = end.index;
  sentDurable = 0;
  sentCommit = 0;
  backoff = FIRST_BACKOFF;
  reported = false;
  toldAt = nullptr;
  logInfo("attached to successor", {{"epoch", header.epoch},
                                    {"successor", successor.name},
                                    {"index", end.index},
                                    {"resend", host.log().end().index - end.index}});
  if (!successor.serving) host.joinerAligned();
}

kj::Promise<void> SuccessorLink::pump() {
  if (sentIndex < host.log().start().index) {
    // The successor needs what is before the start of the log in memory.
    return host.store()
        .readLog(sentIndex, APPEND_BYTES)
        .then([this](std::vector<BatchPtr> batches) {
          KJ_REQUIRE(!batches.empty(), "the log on disk ends too early", sentIndex);
          return send(kj::mv(batches));
        });
  }
  snapshot = nullptr;

  auto next = host.log().after(sentIndex);
  bool committed = !successor.serving && host.commitForJoiner() != sentCommit;
  if (next == nullptr && !committed && host.durableForSuccessor() == sentDurable) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    idle = kj::mv(paf.fulfiller);
    return paf.promise.then([this]() { return pump(); });
  }
  std::vector<BatchPtr> batches;
  std::size_t bytes = 0;
  while (next != nullptr && (batches.empty() || bytes + next->bytes().size() <= APPEND_BYTES)) {
    bytes += next->bytes().size();
    auto last = next->lastIndex();
    batches.push_back(kj::mv(next));
    next = host.log().after(last);
  }
  return send(kj::mv(batches));
}

kj::Promise<void> SuccessorLink::send(std::vector<BatchPtr> batches) {
  std::size_t bytes = 0;
  for (auto& batch: batches) bytes += batch->bytes().size();
  auto request = KJ_ASSERT_NONNULL(link).appendRequest(
      capnp::MessageSize{bytes / sizeof(capnp::word) + 2 * batches.size() + 16, 0});
  header.write(request.initHeader());
  auto list = request.initBatches(static_cast<unsigned>(batches.size()));
  for (unsigned i = 0; i < list.size(); ++i) list.set(i, batches[i]->bytes());
  sentDurable = host.durableForSuccessor();
  request.setDurable(sentDurable);
  if (!successor.serving) {
    sentCommit = host.commitForJoiner();
    request.setCommit(sentCommit);
  }
  if (!batches.empty()) sentIndex = batches.back()->lastIndex();
  watch.sent(bytes);
  return request.send().then([this]() { return pump(); });
}

// -- the watch

kj::Promise<void> SuccessorLink::check(std::size_t padding) {
  if (planted(Bug::confirmIsProgress)) return confirm().ignoreResult();
  auto request = KJ_ASSERT_NONNULL(checks).checkRequest(
      capnp::MessageSize{padding / sizeof(capnp::word) + 16, 0});
  header.write(request.initHeader());
  request.initPadding(static_cast<unsigned>(padding));
  return request.send().ignoreResult();
}

kj::Maybe<TcpProgress> SuccessorLink::progress() {
  KJ_IF_MAYBE (opened, connection) {
    return (*opened)->progress();
  }
  return nullptr;
}

void SuccessorLink::linkTrouble(kj::Maybe<const LinkTrouble&> trouble) {
  host.successorTrouble(header.epoch, successor, trouble);
}

void SuccessorLink::linkHopeless() {
  giveUp(KJ_EXCEPTION(DISCONNECTED, "nothing comes back from the successor for long"));
}

void SuccessorLink::giveUp(kj::Exception&& why) {
  KJ_IF_MAYBE (fulfiller, broken) {
    (*fulfiller)->reject(kj::mv(why));
  }
}

void SuccessorLink::failed(kj::Exception&& exception) {
  watch.disconnected();
  idle = nullptr;
  broken = nullptr;
  link = nullptr;
  checks = nullptr;
  connection = nullptr;
  // Nothing answers it now, whatever comes next.
  watch.asked();
  if (!reported) {
    reported = true;
    logWarning("no link to successor", {{"epoch", header.epoch},
                                        {"successor", successor.name},
                                        {"error", exception.getDescription()}});
  }
  auto now = timer.now();
  if (toldAt.map([&](auto last) { return now - last < REPORT_INTERVAL; }).orDefault(false)) return;
  toldAt = now;
  host.successorUnreachable(header.epoch, successor, exception.getDescription());
}

void SuccessorLink::taskFailed(kj::Exception&& exception) {
  die("the link to the successor broke down", {{"error", exception.getDescription()}});
}

}  // namespace gavel::chain
