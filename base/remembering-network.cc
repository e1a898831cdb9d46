#include "base/remembering-network.h"

#include "base/logging.h"

namespace gavel {
namespace {

// Long for a resolver that works, and short compared with the time in which a link has to be made.
constexpr auto PATIENCE = 200 * kj::MILLISECONDS;

}  // namespace

kj::Promise<kj::Own<kj::NetworkAddress>> RememberingNetwork::parseAddress(kj::StringPtr address,
                                                                          unsigned portHint) {
  std::string name = address.cStr();
  auto resolved = resolve(name, portHint);
  if (known.count(name) == 0) return resolved;
  return timer.timeoutAfter(PATIENCE, kj::mv(resolved))
      .catch_([this, name](kj::Exception&& exception) -> kj::Own<kj::NetworkAddress> {
        logDebug("a name does not resolve: going on with the address that it had",
                 {{"name", name}, {"error", exception.getDescription()}});
        return known.at(name)->clone();
      });
}

kj::Promise<kj::Own<kj::NetworkAddress>> RememberingNetwork::resolve(const std::string& name,
                                                                     unsigned portHint) {
  return kj::evalNow([&]() { return inner.parseAddress(name.c_str(), portHint); })
      .then([this, name](kj::Own<kj::NetworkAddress> address) {
        if (known.count(name) == 0 && known.size() >= LIMIT) known.erase(known.begin());
        known[name] = address->clone();
        return address;
      });
}

}  // namespace gavel
