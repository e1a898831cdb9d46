#include "node/master-session.h"

#include <algorithm>

#include <kj/debug.h>

#include "base/logging.h"
#include "schema/peer.capnp.h"

namespace gavel::node {
namespace {

constexpr auto CALL_TIMEOUT = 2 * kj::SECONDS;
constexpr auto FIRST_BACKOFF = 10 * kj::MILLISECONDS;
constexpr auto LONGEST_BACKOFF = 250 * kj::MILLISECONDS;
constexpr const char* NOT_NOW = "not now";

}  // namespace

class MasterSession::Control final: public schema::NodeControl::Server {
public:
  explicit Control(kj::Own<Weak<MasterSession>> owner): owner(kj::mv(owner)) {}

  kj::Promise<void> configure(ConfigureContext context) override {
    KJ_IF_MAYBE (session, owner->get()) {
      auto configuration = Configuration::read(context.getParams().getConfiguration());
      KJ_IF_MAYBE (why, session->host.whyNotAdopt(configuration)) {
        return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(*why));
      }
      return session->host.adopt(configuration);
    }
    return KJ_EXCEPTION(DISCONNECTED, "this node is stopping");
  }

  kj::Promise<void> acceptClock(AcceptClockContext context) override {
    KJ_IF_MAYBE (session, owner->get()) {
      return session->host.acceptClock(context.getParams().getLimit())
          .then([context](std::string refused) mutable {
            context.getResults().setRefused(refused.c_str());
          });
    }
    return KJ_EXCEPTION(DISCONNECTED, "this node is stopping");
  }

private:
  kj::Own<Weak<MasterSession>> owner;
};

MasterSession::MasterSession(kj::Network& network, kj::Timer& timer, Random& random,
                             std::vector<std::string> masters, Host& host)
    : network(network),
      timer(timer),
      random(random),
      masters(kj::mv(masters)),
      host(host),
      backoff(FIRST_BACKOFF),
      anchor(*this),
      tasks(*this) {}

kj::Promise<void> MasterSession::run() {
  kj::StringPtr address = masters[next].c_str();
  return attempt(address)
      .then([]() {}, [this, address](kj::Exception&& exception) { lost(address, exception); })
      .then([this]() -> kj::Promise<void> {
        KJ_IF_MAYBE (text, refusedForGood) {
          return KJ_EXCEPTION(FAILED, *text);
        }
        next = (next + 1) % masters.size();
        // Jitter keeps the nodes of a chain from coming back in step.
        auto delay = backoff / 2 + backoff * static_cast<std::int64_t>(random.next() % 512) / 1024;
        backoff = std::min(backoff * 2, kj::Duration(LONGEST_BACKOFF));
        return timer.afterDelay(delay);
      })
      .then([this]() { return run(); });
}

kj::Promise<void> MasterSession::attempt(kj::StringPtr address) {
  return Connection::open(network, timer, address, CALL_TIMEOUT)
      .then([this, address](kj::Own<Connection> opened) {
        connection = kj::mv(opened);
        return timer.timeoutAfter(CALL_TIMEOUT, registerHere(address));
      })
      .then([this]() {
        auto gone = KJ_ASSERT_NONNULL(connection)->onDisconnect().then([]() -> kj::Promise<void> {
          return KJ_EXCEPTION(DISCONNECTED, "the master closed the connection");
        });
        return beat().exclusiveJoin(kj::mv(gone));
      });
}

kj::Promise<void> MasterSession::registerHere(kj::StringPtr address) {
  auto request =
      KJ_ASSERT_NONNULL(connection)->bootstrap<schema::MasterService>().registerRequest();
  request.setProtocolVersion(schema::PROTOCOL_VERSION);
  request.setClusterId(host.clusterId());
  host.describe(request.initStatus());
  request.setEmpty(host.empty());
  request.setControl(kj::heap<Control>(anchor.ref()));
  return request.send().then([this, address](auto&& response) {
    auto result = response.getResult();
    if (result.isRefused()) {
      auto why = kj::str("the master at ", address, " refuses this node: ", result.getRefused());
      refused = why.cStr();
      // A member of a chain goes on: this master may have lost its data, or be the wrong one.
      // Without a master only re-linking stops.
      if (host.clusterId() == 0) refusedForGood = kj::mv(why);
      // This is logged even after it was logged that there is no master: the operator must act.
      if (saidRefusal != result.getRefused().cStr()) {
        saidRefusal = result.getRefused().cStr();
        logWarning("the master refuses this node",
                   {{"master", address}, {"reason", result.getRefused()}});
      }
      kj::throwFatalException(
          KJ_EXCEPTION(FAILED, "the master refuses this node", result.getRefused()));
    }
    if (result.isNotNow()) {
      refused =
          kj::str("the master at ", address, " refuses this node: ", result.getNotNow()).cStr();
      // The clock may be the reason.
      host.clockIsWrong();
      // The words may contain times, which differ each time.
      if (saidRefusal != NOT_NOW) {
        saidRefusal = NOT_NOW;
        logWarning("the master does not take this node yet",
                   {{"master", address}, {"reason", result.getNotNow()}});
      }
      saidLost = true;  // There is a master, and what it says was logged.
      kj::throwFatalException(
          KJ_EXCEPTION(FAILED, "the master does not take this node yet", result.getNotNow()));
    }
    auto registered = result.getRegistered();
    registration = registered.getRegistration();
    interval =
        std::max<std::int64_t>(1'000'000, registered.getHeartbeatInterval()) * kj::NANOSECONDS;
    if (registered.getLinkPatience() > 0) {
      host.setLinkPatience(registered.getLinkPatience() * kj::NANOSECONDS);
    }
    backoff = FIRST_BACKOFF;
    saidLost = false;
    refused.clear();
    saidRefusal.clear();
    auto configuration = Configuration::read(registered.getConfiguration());
    logInfo(
        "registered with the master",
        {{"master", address}, {"epoch", configuration.epoch}, {"chain", configuration.describe()}});
    if (configuration.epoch > 0) tasks.add(host.adopt(configuration));
  });
}

kj::Promise<void> MasterSession::beat() {
  return timer.afterDelay(interval)
      .then([this]() {
        auto request = KJ_ASSERT_NONNULL(registration).heartbeatRequest();
        host.describe(request.initStatus());
        return timer.timeoutAfter(CALL_TIMEOUT, request.send().ignoreResult());
      })
      .then([this]() { return beat(); });
}

void MasterSession::report(std::uint64_t epoch, std::uint64_t suspect, kj::StringPtr reason) {
  KJ_IF_MAYBE (to, registration) {
    auto request = to->reportRequest();
    request.setEpoch(epoch);
    request.setSuspect(suspect);
    request.setReason(reason);
    tell(request.send().ignoreResult());
  }
}

void MasterSession::reportLink(const chain::Replica::LinkReport& report) {
  using schema::LinkReport;
  KJ_IF_MAYBE (to, registration) {
    auto request = to->linkRequest();
    auto words = request.initReport();
    words.setEpoch(report.epoch);
    words.setPeer(report.peer.incarnation);
    words.setDirection(report.direction == chain::LinkDirection::toSuccessor
                           ? LinkReport::Direction::TO_SUCCESSOR
                           : LinkReport::Direction::TO_PREDECESSOR);
    words.setState(LinkReport::State::WORKS);
    KJ_IF_MAYBE (cause, report.cause) {
      words.setState(*cause == chain::LinkCause::pathDead ? LinkReport::State::PATH_DEAD
                                                          : LinkReport::State::PROCESS_SLOW);
    }
    words.setSince(report.lasting / kj::NANOSECONDS);
    words.setGating(report.gating);
    tell(request.send().ignoreResult());
  }
}

void MasterSession::gate(std::uint64_t epoch, std::uint64_t joiner) {
  KJ_IF_MAYBE (to, registration) {
    auto request = to->gateRequest();
    request.setEpoch(epoch);
    request.setJoiner(joiner);
    tell(request.send().ignoreResult());
  }
}

void MasterSession::tell(kj::Promise<void> call) {
  tasks.add(timer.timeoutAfter(CALL_TIMEOUT, kj::mv(call)).catch_([](kj::Exception&& exception) {
    logDebug("the master did not take a report", {{"error", exception.getDescription()}});
  }));
}

void MasterSession::lost(kj::StringPtr address, const kj::Exception& exception) {
  registration = nullptr;
  connection = nullptr;
  if (saidLost) return;
  saidLost = true;
  logWarning("no master: the chain goes on, but cannot be re-linked",
             {{"master", address}, {"error", exception.getDescription()}});
}

void MasterSession::taskFailed(kj::Exception&& exception) {
  die("cannot adopt the configuration", {{"error", exception.getDescription()}});
}

}  // namespace gavel::node
