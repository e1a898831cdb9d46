#include "bench/callers.h"

#include <stdio.h>

#include <capnp/rpc-twoparty.h>
#include <kj/debug.h>

#include "base/random.h"

namespace gavel::bench {
namespace {

constexpr auto CONNECT_LIMIT = 5 * kj::SECONDS;

using Auctioneer = schema::Auctioneer;

void expectAuction(Auctioneer::Answer::Reader answer) {
  KJ_REQUIRE(answer.isAuction(), "a query was not answered", answer.getFailure().getDetail());
}

class Turns {
public:
  explicit Turns(Auctions auctions): auctions(std::move(auctions)) {}
  kj::StringPtr next() { return auctions[turn++ % auctions.size()].c_str(); }

private:
  Auctions auctions;
  std::size_t turn = 0;
};

class OverRpc final: public Caller {
public:
  OverRpc(kj::AsyncIoContext& io, kj::StringPtr address, Auctions auctions)
      : turns(std::move(auctions)),
        stream(connect(io, address)),
        connection(*stream),
        node(connection.bootstrap().castAs<Auctioneer>()) {}

  kj::Promise<void> call() override {
    auto request = node.resultRequest();
    request.setAuction(turns.next());
    return request.send().then([](auto&& response) { expectAuction(response.getAnswer()); });
  }

private:
  Turns turns;
  kj::Own<kj::AsyncIoStream> stream;
  capnp::TwoPartyClient connection;
  Auctioneer::Client node;

  static kj::Own<kj::AsyncIoStream> connect(kj::AsyncIoContext& io, kj::StringPtr address) {
    auto parsed = io.provider->getNetwork().parseAddress(address).wait(io.waitScope);
    return io.provider->getTimer()
        .timeoutAfter(CONNECT_LIMIT, parsed->connect())
        .wait(io.waitScope);
  }
};

class OverLibrary final: public Caller {
public:
  OverLibrary(kj::AsyncIoContext& io, const std::vector<std::string>& seeds,
              client::ReadFrom readFrom, Auctions auctions)
      : turns(std::move(auctions)) {
    client::Client::Limits limits;
    limits.readFrom = readFrom;
    auto list = KJ_MAP(seed, seeds) {
      return kj::str(seed.c_str());
    };
    client = kj::heap<client::Client>(io.provider->getNetwork(), io.provider->getTimer(), random,
                                      list, limits);
  }

  kj::Promise<void> call() override {
    return client->result(turns.next()).then([](client::Answer answer) {
      expectAuction(answer.get());
    });
  }

private:
  Turns turns;
  SystemRandom random;
  kj::Own<client::Client> client;
};

class Echo final: public Auctioneer::Server {
public:
  kj::Promise<void> result(ResultContext context) override {
    auto view = context.getResults().initAnswer().initAuction();
    view.setId(1);
    view.setName(context.getParams().getAuction());
    view.setVersion(2);
    view.setDeadline(1);
    view.setCreated(1);
    view.setNow(1);
    view.setBids(1);
    view.setOwner(OWNER);
    view.setIndex(1);
    auto open = view.initState().initOpen();
    open.setHighest(100);
    open.setHighestBidder(BIDDER);
    open.setNextValid(101);
    return kj::READY_NOW;
  }
};

}  // namespace

MakeCaller overRpc(std::string address, Auctions auctions) {
  return [address, auctions](kj::AsyncIoContext& io) -> kj::Own<Caller> {
    return kj::heap<OverRpc>(io, address.c_str(), auctions);
  };
}

MakeCaller overLibrary(std::vector<std::string> seeds, client::ReadFrom readFrom,
                       Auctions auctions) {
  return [seeds, readFrom, auctions](kj::AsyncIoContext& io) -> kj::Own<Caller> {
    return kj::heap<OverLibrary>(io, seeds, readFrom, auctions);
  };
}

void serveEcho() {
  auto io = kj::setupAsyncIo();
  auto receiver =
      io.provider->getNetwork().parseAddress("127.0.0.1:0").wait(io.waitScope)->listen();
  capnp::TwoPartyServer server(kj::heap<Echo>());
  printf("ready on 127.0.0.1:%u\n", receiver->getPort());
  fflush(stdout);
  server.listen(*receiver).wait(io.waitScope);
}

}  // namespace gavel::bench
