#include "node/forwarder.h"

#include <kj/debug.h>

#include "base/logging.h"
#include "node/results.h"

namespace gavel::node {
namespace {

using Type = kj::Exception::Type;

constexpr auto OPEN_TIMEOUT = 500 * kj::MILLISECONDS;
// What each call under way takes besides its message.
constexpr std::size_t BYTES_PER_CALL = 4096;

capnp::Request<capnp::AnyPointer, capnp::AnyPointer> requestFor(
    schema::Auctioneer::Client& target, capnp::InterfaceSchema::Method method,
    capnp::MessageSize size) {
  auto interface = method.getContainingInterface().getProto().getId();
#if CAPNP_VERSION >= 1000000
  return target.typelessRequest(interface, method.getOrdinal(), size, {});
#else
  return target.typelessRequest(interface, method.getOrdinal(), size);
#endif
}

}  // namespace

kj::Promise<void> Forwarder::pass(capnp::InterfaceSchema::Method method, Call call,
                                  const Member* member) {
  // Calls that cannot be cancelled outlive the connection that they came by, and this object.
  return canceler.wrap(to(member).then(
      [this, call, method](kj::Own<Route> route) mutable {
        return send(method, call, *route).attach(kj::mv(route));
      },
      [call, method](kj::Exception&& exception) mutable {
        if (exception.getType() != Type::OVERLOADED) kj::throwFatalException(kj::mv(exception));
        writeFailure(method, call.getParams(), call.getResults(), PassFailure::nothingRan,
                     exception.getDescription());
        return kj::Promise<void>(kj::READY_NOW);
      }));
}

kj::Promise<void> Forwarder::send(capnp::InterfaceSchema::Method method, Call call, Route& route) {
  auto params = call.getParams();
  // What its pointers lead to may be more than the message has.
  auto size = params.targetSize();
  KJ_REQUIRE(size.capCount == 0, "no method takes capabilities");
  auto bytes = BYTES_PER_CALL + size.wordCount * sizeof(capnp::word);
  if (route.held + bytes > limits.bytes) {
    writeFailure(method, params, call.getResults(), PassFailure::nothingRan,
                 "overloaded: too many calls are being passed on; try again later");
    return kj::READY_NOW;
  }
  route.held += bytes;
  auto request = requestFor(KJ_ASSERT_NONNULL(route.auctioneer), method, size);
  request.set(params);
  auto answered =
      request.send().then([call](capnp::Response<capnp::AnyPointer>&& response) mutable {
        call.getResults(response.targetSize()).set(response);
      });
  // Where a path dies in silence, the kernel would go on trying for a quarter of an hour.
  auto late = timer.afterDelay(limits.answer).then([]() -> kj::Promise<void> {
    return KJ_EXCEPTION(DISCONNECTED, "no answer in time");
  });
  return route.calls.wrap(answered.exclusiveJoin(kj::mv(late)))
      .catch_([call, method, &route](kj::Exception&& exception) mutable {
        if (exception.getType() != Type::DISCONNECTED) kj::throwFatalException(kj::mv(exception));
        route.broken = true;
        auto detail = kj::str("lost ", route.name.c_str(),
                              ", to which this was passed on, before it answered");
        writeFailure(method, call.getParams(), call.getResults(), PassFailure::outcomeUnknown,
                     detail);
      })
      .attach(kj::defer([&route, bytes]() { route.held -= bytes; }));
}

kj::Promise<kj::Own<Forwarder::Route>> Forwarder::to(const Member* member) {
  if (member == nullptr) {
    return KJ_EXCEPTION(OVERLOADED, "no chain has been formed yet: try again later");
  }
  if (member->incarnation == replica.incarnation()) {
    return KJ_EXCEPTION(OVERLOADED, "the chain is being re-linked: try again");
  }
  auto& route = routes[member->incarnation];
  if (route.get() == nullptr || route->broken) {
    route = kj::refcounted<Route>(member->name);
    route->opening = open(*route, *member).fork();
  }
  return route->opening.addBranch().then([route = kj::addRef(*route)]() mutable {
    KJ_IF_MAYBE (why, route->removed) {
      kj::throwFatalException(kj::cp(*why));
    }
    return kj::mv(route);
  });
}

kj::Promise<void> Forwarder::open(Route& route, const Member& member) {
  chain::Header header{replica.newest().clusterId, replica.newest().epoch, replica.incarnation(),
                       member.incarnation};
  // The route owns this promise through `opening`.  With the call that waits for it, the route may
  // outlive this object.
  auto opening =
      Connection::open(network, timer, member.address.c_str(), OPEN_TIMEOUT)
          .then([this, &route, header](kj::Own<Connection> connection) {
            auto request = connection->bootstrap<schema::NodeService>().forwardRequest();
            header.write(request.initHeader());
            route.watching = connection->onDisconnect()
                                 .then([&route]() { route.broken = true; })
                                 .eagerlyEvaluate(nullptr);
            route.connection = kj::mv(connection);
            return timer.timeoutAfter(OPEN_TIMEOUT, request.send().dropPipeline());
          })
          .then([this, &route](capnp::Response<schema::Peer::ForwardResults>&& response) {
            auto result = response.getResult();
            if (result.isRejected()) heed(result.getRejected());
            route.auctioneer = result.getAuctioneer();
          });
  return canceler.wrap(kj::mv(opening))
      .catch_([&route, name = member.name](kj::Exception&& exception) {
        route.broken = true;
        // Nothing of the call has left this node yet, so the caller may try again.
        kj::throwFatalException(
            kj::Exception(kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
                          kj::str("cannot reach ", name.c_str(), ", whose job this is: try again (",
                                  exception.getDescription(), ")")));
      });
}

// A node without a master learns of a newer configuration this way (R1).
void Forwarder::heed(schema::Rejection::Reader rejection) {
  if (rejection.getReason() == schema::Rejection::Reason::LOWER_EPOCH) {
    // To adopt may end this route, which is running here.  So it happens in a later turn.
    tasks.add(kj::evalLater([this, newer = Configuration::read(rejection.getConfiguration())]() {
      return replica.adopt(newer);
    }));
  }
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                        kj::str(rejection.getDetail())));
}

void Forwarder::taskFailed(kj::Exception&& exception) {
  logWarning("cannot adopt the configuration that a member showed",
             {{"error", exception.getDescription()}});
}

void Forwarder::adopted() {
  for (auto it = routes.begin(); it != routes.end();) {
    if (replica.newest().contains(it->first)) {
      ++it;
      continue;
    }
    it->second->calls.cancel(KJ_EXCEPTION(DISCONNECTED, "the member was removed"));
    it->second->removed = KJ_EXCEPTION(OVERLOADED, "the chain was re-linked: try again");
    it = routes.erase(it);
  }
}

}  // namespace gavel::node
