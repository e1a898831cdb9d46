#pragma once

#include <map>
#include <string>

#include <kj/async-io.h>
#include <kj/timer.h>

namespace gavel {

// A network that remembers the addresses of names (R6).  While a name does not resolve, or takes
// long to, it stands for the address that it had last.  Its users check who answers there: nodes
// and masters do so by the incarnation of the process.
class RememberingNetwork final: public kj::Network {
public:
  // How many names are remembered.
  static constexpr std::size_t LIMIT = 1000;

  // References must outlive this object.
  RememberingNetwork(kj::Network& inner, kj::Timer& timer): inner(inner), timer(timer) {}
  KJ_DISALLOW_COPY(RememberingNetwork);

  kj::Promise<kj::Own<kj::NetworkAddress>> parseAddress(kj::StringPtr address,
                                                        unsigned portHint) override;
  kj::Own<kj::NetworkAddress> getSockaddr(const void* address, unsigned size) override {
    return inner.getSockaddr(address, size);
  }
  kj::Own<kj::Network> restrictPeers(kj::ArrayPtr<const kj::StringPtr> allow,
                                     kj::ArrayPtr<const kj::StringPtr> deny) override {
    return inner.restrictPeers(allow, deny);
  }

private:
  kj::Network& inner;
  kj::Timer& timer;
  std::map<std::string, kj::Own<kj::NetworkAddress>> known;

  kj::Promise<kj::Own<kj::NetworkAddress>> resolve(const std::string& name, unsigned portHint);
};

}  // namespace gavel
