#include "master/probe.h"

#include <kj/debug.h>

#include "base/connection.h"
#include "schema/topology.capnp.h"

namespace gavel::master {
namespace {

constexpr auto RETRY_AFTER = 1 * kj::MILLISECONDS;

ProbeResult judge(const kj::Exception& exception) {
  switch (exception.getType()) {
    case kj::Exception::Type::DISCONNECTED:
      return ProbeResult::refused;
    // This process is out of file descriptors or memory, which says nothing about the node.
    case kj::Exception::Type::OVERLOADED:
      return ProbeResult::inconclusive;
    case kj::Exception::Type::UNIMPLEMENTED:
      return ProbeResult::other;
    case kj::Exception::Type::FAILED:
      return ProbeResult::unreachable;
  }
  return ProbeResult::inconclusive;
}

struct State {
  kj::String address;
  std::uint64_t incarnation;
  kj::Maybe<kj::Function<void(schema::NodeStatus::Reader)>> told;
  bool closed = false;
};

// Asks on a connection that is made.  Resolves with null if it closes before the answer comes.
kj::Promise<kj::Maybe<ProbeResult>> ask(kj::Own<Connection> connection, State& state) {
  auto request = connection->bootstrap<schema::Topology>().statusRequest();
  return request.send()
      .then(
          [&state](capnp::Response<schema::Topology::StatusResults>&& response) {
            KJ_IF_MAYBE (tell, state.told) (*tell)(response.getStatus());
            bool same = response.getStatus().getIncarnation() == state.incarnation;
            return kj::Maybe<ProbeResult>(same ? ProbeResult::alive : ProbeResult::other);
          },
          [](kj::Exception&& exception) -> kj::Maybe<ProbeResult> {
            if (exception.getType() == kj::Exception::Type::DISCONNECTED) return nullptr;
            // Something answers that is not a node.
            return ProbeResult::other;
          })
      .attach(kj::mv(connection));
}

// A process that ends may still accept a connection and close it a moment later.  So does a live
// one at its limit of connections.  So this asks again until the connection is refused or answered.
kj::Promise<ProbeResult> attempt(kj::Network& network, kj::Timer& timer, State& state,
                                 kj::Duration timeout) {
  return Connection::open(network, timer, state.address, timeout)
      .then([&state](kj::Own<Connection> connection) { return ask(kj::mv(connection), state); },
            [](kj::Exception&& exception) -> kj::Promise<kj::Maybe<ProbeResult>> {
              return kj::Maybe<ProbeResult>(judge(exception));
            })
      .then([&network, &timer, &state,
             timeout](kj::Maybe<ProbeResult> result) -> kj::Promise<ProbeResult> {
        KJ_IF_MAYBE (known, result) {
          return *known;
        }
        state.closed = true;
        return timer.afterDelay(RETRY_AFTER).then([&network, &timer, &state, timeout]() {
          return attempt(network, timer, state, timeout);
        });
      });
}

}  // namespace

kj::Promise<ProbeResult> probe(kj::Network& network, kj::Timer& timer, kj::StringPtr address,
                               std::uint64_t incarnation, kj::Duration timeout,
                               kj::Maybe<kj::Function<void(schema::NodeStatus::Reader)>> told) {
  auto state = kj::heap<State>(State{kj::str(address), incarnation, kj::mv(told)});
  // Connection::open() gets a later deadline, as its timeout would look like a lack of resources.
  auto answer = attempt(network, timer, *state, 2 * timeout);
  auto deadline = timer.afterDelay(timeout).then([state = state.get()]() {
    return state->closed ? ProbeResult::inconclusive : ProbeResult::silent;
  });
  return answer.exclusiveJoin(kj::mv(deadline)).attach(kj::mv(state));
}

}  // namespace gavel::master
