#include "bench/deaf-client.h"

#include <stdio.h>

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include "base/process.h"
#include "schema/auction.capnp.h"

namespace gavel::bench {
namespace {

class DeafStream final: public kj::AsyncIoStream {
public:
  explicit DeafStream(kj::AsyncIoStream& inner): inner(inner) {}

  kj::Promise<std::size_t> tryRead(void*, std::size_t, std::size_t) override {
    return kj::NEVER_DONE;
  }
  kj::Promise<void> write(const void* buffer, std::size_t size) override {
    return inner.write(buffer, size);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return inner.write(pieces);
  }
  kj::Promise<void> whenWriteDisconnected() override { return inner.whenWriteDisconnected(); }
  void shutdownWrite() override { inner.shutdownWrite(); }

private:
  kj::AsyncIoStream& inner;
};

}  // namespace

void askWithoutReading(const std::string& server, unsigned calls) {
  auto io = setUpEventLoop();
  auto address = io.provider->getNetwork().parseAddress(server).wait(io.waitScope);
  auto connection = address->connect().wait(io.waitScope);
  DeafStream stream(*connection);
  capnp::TwoPartyClient client(stream);
  auto node = client.bootstrap().castAs<schema::Auctioneer>();
  kj::Vector<kj::Promise<void>> asked;
  for (unsigned i = 0; i < calls; ++i) asked.add(node.listRequest().send().ignoreResult());
  puts("asked");
  fflush(stdout);
  connection->whenWriteDisconnected().wait(io.waitScope);
  puts("closed by the node");
}

}  // namespace gavel::bench
