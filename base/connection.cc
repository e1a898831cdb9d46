#include "base/connection.h"

#include <cstring>

#include <kj/debug.h>

namespace gavel {
namespace {

// The text is for the operator and has no source position.
[[noreturn]] void failToListen(kj::StringPtr address, kj::StringPtr why) {
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                        kj::str("cannot listen on ", address, ": ", why)));
}

bool contains(kj::StringPtr text, kj::StringPtr part) {
  return std::strstr(text.cStr(), part.cStr()) != nullptr;
}

// libkj says only in the description what has happened.
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

kj::Promise<kj::Own<Connection>> Connection::open(kj::Network& network, kj::Timer& timer,
                                                  kj::StringPtr address, kj::Duration timeout) {
  return timer.timeoutAfter(timeout, kj::evalNow([&]() { return network.parseAddress(address); })
                                         .then([](kj::Own<kj::NetworkAddress> parsed) {
                                           auto connecting = parsed->connect();
                                           return connecting.attach(kj::mv(parsed));
                                         })
                                         .then([&timer](kj::Own<kj::AsyncIoStream> stream) {
                                           return kj::heap<Connection>(kj::mv(stream), timer);
                                         }));
}

Connection::Connection(kj::Own<kj::AsyncIoStream> stream, kj::Timer& timer)
    : stream(kj::mv(stream), timer), client(this->stream) {}

bool isHostPort(kj::StringPtr address) {
  KJ_IF_MAYBE (colon, address.findLast(':')) {
    auto port = address.slice(*colon + 1);
    if (*colon == 0 || port.size() == 0 || port.size() > 5) return false;
    unsigned value = 0;
    for (char c: port) {
      if (c < '0' || c > '9') return false;
      value = value * 10 + static_cast<unsigned>(c - '0');
    }
    return value <= 65535;
  }
  return false;
}

kj::Own<kj::ConnectionReceiver> listenOn(kj::Network& network, kj::WaitScope& waitScope,
                                         kj::StringPtr address) {
  if (!isHostPort(address)) failToListen(address, "expected HOST:PORT, such as 127.0.0.1:7400");
  kj::Own<kj::NetworkAddress> parsed;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions(
                              [&]() { parsed = network.parseAddress(address).wait(waitScope); })) {
    failToListen(
        address,
        "its host does not resolve to an address: give an address of this machine, such as "
        "127.0.0.1, or 0.0.0.0 for all");
  }
  kj::Own<kj::ConnectionReceiver> receiver;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { receiver = parsed->listen(); })) {
    failToListen(address, explain(exception->getDescription()));
  }
  return receiver;
}

kj::String boundAddress(kj::StringPtr listenAddress, unsigned port) {
  KJ_IF_MAYBE (colon, listenAddress.findLast(':')) {
    return kj::str(listenAddress.slice(0, *colon), ":", port);
  }
  return kj::str(listenAddress, ":", port);
}

}  // namespace gavel
