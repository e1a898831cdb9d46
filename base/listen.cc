#include "base/listen.h"

#include <kj/debug.h>

#include "base/connection.h"

namespace gavel {
namespace {

// Without file and line: the text is for the operator.
[[noreturn]] void fail(kj::StringPtr address, kj::StringPtr why) {
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                        kj::str("cannot listen on ", address, ": ", why)));
}

bool contains(kj::StringPtr text, kj::StringPtr part) {
  return strstr(text.cStr(), part.cStr()) != nullptr;
}

bool hasPort(kj::StringPtr address) {
  KJ_IF_MAYBE (colon, address.findLast(':')) {
    auto port = address.slice(*colon + 1);
    if (*colon == 0 || port.size() == 0 || port.size() > 5) return false;
    unsigned value = 0;
    for (char c : port) {
      if (c < '0' || c > '9') return false;
      value = value * 10 + static_cast<unsigned>(c - '0');
    }
    return value <= 65535;
  }
  return false;
}

// libkj tells what happened in the description only.
kj::String explain(kj::StringPtr error) {
  if (contains(error, "Address already in use")) {
    return kj::str("the port is in use by another process: stop that one, or give another port");
  }
  if (contains(error, "Cannot assign requested address")) {
    return kj::str("it is not an address of this machine: give one that is, or 0.0.0.0 for all");
  }
  if (contains(error, "Permission denied")) {
    return kj::str("this user may not bind that port: give one above 1023");
  }
  return kj::str(error);
}

}  // namespace

kj::Promise<Listener> listenOn(kj::Network& network, kj::StringPtr address) {
  return kj::evalNow([&]() {
    if (!hasPort(address)) fail(address, "expected HOST:PORT, such as 127.0.0.1:7400");
    return network.parseAddress(address);
  }).then(
      [address = kj::str(address)](kj::Own<kj::NetworkAddress> parsed) {
        Listener listener;
        auto exception = kj::runCatchingExceptions([&]() {
          listener.receiver = parsed->listen();
          listener.address = boundAddress(address, listener.receiver->getPort());
        });
        KJ_IF_MAYBE (thrown, exception) { fail(address, explain(thrown->getDescription())); }
        return listener;
      },
      [address = kj::str(address)](kj::Exception&& exception) -> Listener {
        if (contains(exception.getDescription(), "cannot listen on")) {
          kj::throwFatalException(kj::mv(exception));
        }
        fail(address,
             "its host does not resolve to an address: give an address of this machine, such as "
             "127.0.0.1, or 0.0.0.0 for all");
      });
}

}  // namespace gavel
