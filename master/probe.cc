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
    // Out of file descriptors or memory, here: it says nothing about the node.
    case kj::Exception::Type::OVERLOADED:
      return ProbeResult::inconclusive;
    case kj::Exception::Type::UNIMPLEMENTED:
      return ProbeResult::other;
    case kj::Exception::Type::FAILED:
      return ProbeResult::unreachable;
  }
  return ProbeResult::inconclusive;
}

// Asks on a connection that has been made.  Null if that closed before the answer came.
kj::Promise<kj::Maybe<ProbeResult>> ask(kj::Own<Connection> connection, std::uint64_t incarnation) {
  auto request = connection->bootstrap<schema::Topology>().statusRequest();
  return request.send()
      .then(
          [incarnation](capnp::Response<schema::Topology::StatusResults>&& response) {
            bool same = response.getStatus().getIncarnation() == incarnation;
            return kj::Maybe<ProbeResult>(same ? ProbeResult::alive : ProbeResult::other);
          },
          [](kj::Exception&& exception) -> kj::Maybe<ProbeResult> {
            if (exception.getType() == kj::Exception::Type::DISCONNECTED) return nullptr;
            // It answers, but is no node.
            return ProbeResult::other;
          })
      .attach(kj::mv(connection));
}

// A process that ends may still accept a connection and close it a moment later, and so does a live
// one at its limit of connections: ask again until it is refused or answers.
kj::Promise<ProbeResult> attempt(kj::Network& network, kj::Timer& timer, kj::StringPtr address,
                                 std::uint64_t incarnation, kj::Duration timeout, bool& closed) {
  return Connection::open(network, timer, address, timeout)
      .then([incarnation](
                kj::Own<Connection> connection) { return ask(kj::mv(connection), incarnation); },
            [](kj::Exception&& exception) -> kj::Promise<kj::Maybe<ProbeResult>> {
              return kj::Maybe<ProbeResult>(judge(exception));
            })
      .then([&network, &timer, address, incarnation, timeout,
             &closed](kj::Maybe<ProbeResult> result) -> kj::Promise<ProbeResult> {
        KJ_IF_MAYBE (known, result) {
          return *known;
        }
        closed = true;
        return timer.afterDelay(RETRY_AFTER)
            .then([&network, &timer, address, incarnation, timeout, &closed]() {
              return attempt(network, timer, address, incarnation, timeout, closed);
            });
      });
}

}  // namespace

kj::Promise<ProbeResult> probe(kj::Network& network, kj::Timer& timer, kj::StringPtr address,
                               std::uint64_t incarnation, kj::Duration timeout) {
  struct State {
    kj::String address;
    bool closed = false;
  };
  auto state = kj::heap<State>(State{kj::str(address)});
  // Connection::open() gets a later deadline, so that it cannot be taken for a lack of resources.
  auto answer = attempt(network, timer, state->address, incarnation, 2 * timeout, state->closed);
  auto deadline = timer.afterDelay(timeout).then([state = state.get()]() {
    return state->closed ? ProbeResult::inconclusive : ProbeResult::silent;
  });
  return answer.exclusiveJoin(kj::mv(deadline)).attach(kj::mv(state));
}

}  // namespace gavel::master
