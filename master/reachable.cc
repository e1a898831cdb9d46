#include "master/reachable.h"

#include <kj/debug.h>

#include "base/connection.h"
#include "master/probe.h"

namespace gavel::master {
namespace {

using Why = kj::Maybe<kj::String>;

// Resolves with the error of an attempt to connect, for people; a probe only says that it failed.
kj::Promise<kj::String> errorOf(kj::Network& network, kj::Timer& timer, kj::StringPtr address,
                                kj::Duration timeout) {
  return Connection::open(network, timer, address, timeout)
      .then([](kj::Own<Connection>) { return kj::str("it answers now"); },
            [](kj::Exception&& exception) { return kj::str(exception.getDescription()); });
}

}  // namespace

bool namesNoPlace(const std::string& address) {
  auto colon = address.rfind(':');
  if (colon == std::string::npos) return false;
  auto host = address.substr(0, colon);
  auto port = address.substr(colon + 1);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  bool noPort = !port.empty() && port.find_first_not_of('0') == std::string::npos;
  // A host of zeros alone is any of 0.0.0.0, 0, ::, 0:0:0:0:0:0:0:0.
  bool noHost = host.empty() || host == "*" || host.find_first_not_of("0.:") == std::string::npos;
  return noHost || noPort;
}

kj::Promise<Why> whyUnreachable(kj::Network& network, kj::Timer& timer, const Member& member,
                                kj::Duration timeout) {
  auto name = kj::str(member.name.c_str());
  auto address = kj::str(member.address.c_str());
  auto probed = probe(network, timer, address, member.incarnation, timeout);
  return probed.then([&network, &timer, timeout, name = kj::mv(name),
                      address = kj::mv(address)](ProbeResult result) mutable -> kj::Promise<Why> {
    auto because = [&](auto&&... what) -> kj::Promise<Why> {
      return Why(kj::str("node ", name, " is not found at the address it advertises, ", address,
                         ": ", kj::fwd<decltype(what)>(what)...));
    };
    constexpr auto ADVERTISE =
        "; --advertise says where others reach the node, if it is not where it listens";
    switch (result) {
      case ProbeResult::alive:
        return Why(nullptr);
      case ProbeResult::other:
        return because("another process answers there; give each node an address of its own");
      case ProbeResult::refused:
        return because("nothing listens there", ADVERTISE);
      case ProbeResult::silent:
        return because("nobody answers there", ADVERTISE);
      case ProbeResult::inconclusive:
        return because(
            "connections to it do not last: its certificate and key, or its limit of connections?");
      case ProbeResult::unreachable:
        break;
    }
    auto dialled = kj::str(address);
    auto error = errorOf(network, timer, dialled, timeout).attach(kj::mv(dialled));
    return error.then([name = kj::mv(name), address = kj::mv(address)](kj::String error) -> Why {
      return kj::str("node ", name, " cannot be reached at the address it advertises, ", address,
                     ": ", error);
    });
  });
}

}  // namespace gavel::master
