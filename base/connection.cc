#include "base/connection.h"

#include <kj/debug.h>

namespace gavel {

kj::Promise<kj::Own<Connection>> Connection::open(kj::Network& network, kj::Timer& timer,
                                                  kj::StringPtr address, kj::Duration timeout) {
  return timer.timeoutAfter(
      timeout, kj::evalNow([&]() { return network.parseAddress(address); })
                   .then([](kj::Own<kj::NetworkAddress> parsed) {
                     auto connecting = parsed->connect();
                     return connecting.attach(kj::mv(parsed));
                   })
                   .then([](kj::Own<kj::AsyncIoStream> stream) {
                     return kj::heap<Connection>(kj::mv(stream));
                   }));
}

Connection::Connection(kj::Own<kj::AsyncIoStream> stream)
    : stream(kj::mv(stream)), client(*this->stream) {}

kj::Own<kj::ConnectionReceiver> listenOn(kj::Network& network, kj::WaitScope& waitScope,
                                         kj::StringPtr address) {
  kj::Own<kj::ConnectionReceiver> receiver;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 receiver = network.parseAddress(address).wait(waitScope)->listen();
               })) {
    kj::throwFatalException(KJ_EXCEPTION(
        FAILED, kj::str("cannot listen on ", address, ": ", exception->getDescription(),
                        " (choose an address of this machine and a free port, as host:port)")));
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
