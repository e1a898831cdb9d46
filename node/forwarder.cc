#include "node/forwarder.h"

#include <kj/debug.h>

namespace gavel::node {
namespace {

constexpr auto OPEN_TIMEOUT = 500 * kj::MILLISECONDS;

}  // namespace

kj::Promise<schema::Auctioneer::Client> Forwarder::to(const chain::Member* member) {
  if (member == nullptr) {
    return KJ_EXCEPTION(OVERLOADED, "no chain has been formed yet: try again later");
  }
  if (member->incarnation == replica.incarnation()) {
    return KJ_EXCEPTION(OVERLOADED, "the chain is being re-linked: try again");
  }
  auto& route = routes[member->incarnation];
  if (route.get() == nullptr || route->broken) {
    route = kj::refcounted<Route>();
    route->opening = open(*route, *member).fork();
  }
  return route->opening.addBranch().then(
      [route = kj::addRef(*route)]() mutable -> schema::Auctioneer::Client {
        return KJ_ASSERT_NONNULL(route->auctioneer);
      });
}

kj::Promise<void> Forwarder::open(Route& route, const chain::Member& member) {
  chain::Header header{replica.newest().clusterId, replica.newest().epoch, replica.incarnation(),
                       member.incarnation};
  // The route owns this promise by way of `opening`.
  auto opening = Connection::open(network, timer, member.address.c_str(), OPEN_TIMEOUT)
                     .then([this, &route, header](kj::Own<Connection> connection) {
                       auto request = connection->bootstrap<schema::NodeService>().forwardRequest();
                       header.write(request.initHeader());
                       route.watching = connection->onDisconnect()
                                            .then([&route]() { route.broken = true; })
                                            .eagerlyEvaluate(nullptr);
                       route.connection = kj::mv(connection);
                       return timer.timeoutAfter(OPEN_TIMEOUT, request.send().dropPipeline());
                     })
                     .then([&route](capnp::Response<schema::Peer::ForwardResults>&& response) {
                       auto result = response.getResult();
                       KJ_REQUIRE(result.isAuctioneer(), "the member rejected the call",
                                  result.getRejected().getDetail());
                       route.auctioneer = result.getAuctioneer();
                     });
  return opening.catch_([&route, name = kj::str(member.name.c_str())](kj::Exception&& exception) {
    route.broken = true;
    // Nothing of the call has left this node yet, so the caller may be told to try again.
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "cannot reach the member to forward to", name,
                                         exception.getDescription()));
  });
}

void Forwarder::forget() {
  routes.clear();
}

}  // namespace gavel::node
