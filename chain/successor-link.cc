#include "chain/successor-link.h"

#include <algorithm>

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel::chain {
namespace {

constexpr auto CONNECT_TIMEOUT = 1 * kj::SECONDS;
// Making a configuration durable is part of the successor's answer.
constexpr auto ATTACH_TIMEOUT = 2 * kj::SECONDS;
// How often the successor is asked for a sign of life, and how long it may take.
constexpr auto CHECK_INTERVAL = 500 * kj::MILLISECONDS;
constexpr auto CHECK_TIMEOUT = 2 * kj::SECONDS;
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
    check(params.getHeader());
    KJ_IF_MAYBE (link, owner->get()) link->host.heardCommit(params.getCommit());
    return kj::READY_NOW;
  }

  kj::Promise<void> refused(RefusedContext context) override {
    auto params = context.getParams();
    check(params.getHeader());
    KJ_IF_MAYBE (link, owner->get()) {
      KJ_IF_MAYBE (fulfiller, link->broken) {
        (*fulfiller)->reject(KJ_EXCEPTION(FAILED, "the successor refused", params.getDetail()));
      }
    }
    return kj::READY_NOW;
  }

private:
  kj::Own<Weak<SuccessorLink>> owner;
  Header expected;

  void check(schema::Header::Reader reader) {
    KJ_REQUIRE(Header::read(reader) == expected, "acknowledgment of another link (R1)");
  }
};

SuccessorLink::SuccessorLink(Host& host, kj::Network& network, kj::Timer& timer,
                             const Configuration& configuration, std::uint64_t self)
    : host(host),
      network(network),
      timer(timer),
      configuration(configuration),
      successor(*KJ_ASSERT_NONNULL(kj::Maybe<const Member*>(configuration.successor(self)))),
      header{configuration.clusterId, configuration.epoch, self, successor.incarnation},
      backoff(FIRST_BACKOFF),
      anchor(*this),
      tasks(*this) {
  tasks.add(run());
}

void SuccessorLink::wake() {
  KJ_IF_MAYBE (fulfiller, idle) {
    (*fulfiller)->fulfill();
    idle = nullptr;
  }
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
  connection = nullptr;
  return Connection::open(network, timer, successor.address.c_str(), CONNECT_TIMEOUT)
      .then([this](kj::Own<Connection> opened) {
        connection = kj::mv(opened);
        return timer.timeoutAfter(ATTACH_TIMEOUT, attach());
      })
      .then([this]() {
        auto paf = kj::newPromiseAndFulfiller<void>();
        broken = kj::mv(paf.fulfiller);
        auto gone = KJ_ASSERT_NONNULL(connection)->onDisconnect().then([]() -> kj::Promise<void> {
          return KJ_EXCEPTION(DISCONNECTED, "the successor closed the connection");
        });
        return pump()
            .exclusiveJoin(watch())
            .exclusiveJoin(kj::mv(gone))
            .exclusiveJoin(kj::mv(paf.promise));
      });
}

kj::Promise<void> SuccessorLink::attach() {
  auto peer = KJ_ASSERT_NONNULL(connection)->bootstrap<schema::NodeService>();
  auto request = peer.attachRequest();
  header.write(request.initHeader());
  request.setProtocolVersion(schema::PROTOCOL_VERSION);
  configuration.write(request.initConfiguration());
  writePosition(host.log().end(), request.initEnd());
  request.setAcks(kj::heap<AcksServer>(anchor.ref(), header.reply()));
  return request.send().then([this](auto&& response) {
    auto result = response.getResult();
    if (result.isRejected()) {
      auto rejection = result.getRejected();
      if (rejection.getReason() == schema::Rejection::Reason::LOWER_EPOCH) {
        host.heardConfiguration(Configuration::read(rejection.getConfiguration()));
      }
      KJ_FAIL_REQUIRE("the successor rejected the attachment", rejection.getDetail());
    }
    link = result.getAttached().getLink();
    attached(readPosition(result.getAttached().getEnd()));
  });
}

void SuccessorLink::attached(Position end) {
  if (!host.log().contains(end)) {
    // Logs of serving members are prefixes of each other (R4).  Whichever of the two is wrong,
    // going on could overwrite what was acknowledged.
    die("the successor holds entries that this node does not: stopping before more is lost",
        {{"successor", successor.name},
         {"epoch", header.epoch},
         {"its_end", end.index},
         {"its_end_epoch", end.epoch},
         {"own_end", host.log().end().index},
         {"own_end_epoch", host.log().end().epoch}});
  }
  sentIndex = end.index;
  sentDurable = 0;
  backoff = FIRST_BACKOFF;
  reported = false;
  logInfo("attached to successor", {{"epoch", header.epoch},
                                    {"successor", successor.name},
                                    {"index", end.index},
                                    {"resend", host.log().end().index - end.index}});
}

kj::Promise<void> SuccessorLink::pump() {
  auto durable = host.durableForSuccessor();
  auto next = host.log().after(sentIndex);
  if (next == nullptr && durable == sentDurable) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    idle = kj::mv(paf.fulfiller);
    return paf.promise.then([this]() { return pump(); });
  }

  std::vector<BatchPtr> batches;
  std::size_t bytes = 0;
  while (next != nullptr && (batches.empty() || bytes + next->bytes().size() <= APPEND_BYTES)) {
    bytes += next->bytes().size();
    sentIndex = next->lastIndex();
    batches.push_back(kj::mv(next));
    next = host.log().after(sentIndex);
  }
  auto request = KJ_ASSERT_NONNULL(link).appendRequest(
      capnp::MessageSize{bytes / sizeof(capnp::word) + 2 * batches.size() + 16, 0});
  header.write(request.initHeader());
  auto list = request.initBatches(static_cast<unsigned>(batches.size()));
  for (unsigned i = 0; i < list.size(); ++i) list.set(i, batches[i]->bytes());
  request.setDurable(durable);
  sentDurable = durable;
  return request.send().then([this]() { return pump(); });
}

kj::Promise<void> SuccessorLink::watch() {
  return timer.afterDelay(CHECK_INTERVAL)
      .then([this]() {
        auto request = KJ_ASSERT_NONNULL(link).checkRequest();
        header.write(request.initHeader());
        return timer.timeoutAfter(CHECK_TIMEOUT, request.send().ignoreResult());
      })
      .then([this]() { return watch(); });
}

void SuccessorLink::failed(kj::Exception&& exception) {
  idle = nullptr;
  broken = nullptr;
  if (reported) return;
  reported = true;
  logWarning("no link to successor", {{"epoch", header.epoch},
                                      {"successor", successor.name},
                                      {"error", exception.getDescription()}});
  host.successorUnreachable(header.epoch, successor, exception.getDescription());
}

void SuccessorLink::taskFailed(kj::Exception&& exception) {
  die("the link to the successor broke down", {{"error", exception.getDescription()}});
}

}  // namespace gavel::chain
