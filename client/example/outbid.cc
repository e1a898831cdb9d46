// Bids a little more than the highest bid, up to a limit, whenever somebody else leads, until the
// auction is over.  An example of a program that uses the client library.
//
//     outbid SERVER AUCTION NAME LIMIT

#include <cstdio>
#include <cstdlib>

#include <kj/async-io.h>

#include "base/random.h"
#include "client/client.h"
#include "client/watch.h"

namespace {

namespace schema = gavel::schema;

class Outbidder {
public:
  Outbidder(gavel::client::Client& client, gavel::client::Identity self, kj::StringPtr auction,
            std::int64_t limit)
      : client(client), self(self), auction(auction), limit(limit) {}

  // Bids unless it leads or would have to go beyond the limit.
  kj::Promise<void> consider() {
    return client.result(auction).then([this](gavel::client::Answer answer) -> kj::Promise<void> {
      if (answer.get().isFailure()) {
        std::printf("%s\n", answer.get().getFailure().getDetail().cStr());
        return kj::READY_NOW;
      }
      auto state = answer.get().getAuction().getState();
      if (!state.isOpen()) return kj::READY_NOW;
      auto next = state.getOpen().getNextValid();
      bool leads = state.getOpen().getHighestBidder() == self.name;
      if (leads || next == 0 || next > limit) return kj::READY_NOW;
      return client.bid({auction, self, next}).then([next](gavel::client::WriteResult result) {
        auto outcome = result.outcome();
        if (outcome.isSuccess()) std::printf("bid %lld\n", static_cast<long long>(next));
        if (outcome.isException()) {
          std::printf("%s\n", outcome.getException().getDetail().cStr());
        }
      });
    });
  }

private:
  gavel::client::Client& client;
  gavel::client::Identity self;
  kj::StringPtr auction;
  std::int64_t limit;
};

kj::Promise<void> follow(gavel::client::AuctionWatch& watch, Outbidder& bidder) {
  return watch.next().then([&](gavel::client::HistoryPage page) -> kj::Promise<void> {
    for (auto version: page.get().getVersions()) {
      if (version.getKind() != schema::Version::Kind::CLOSED) continue;
      std::printf("over: %s wins for %lld\n", version.getWho().cStr(),
                  static_cast<long long>(version.getAmount()));
      return kj::READY_NOW;
    }
    if (page.get().hasFailure()) return kj::READY_NOW;
    return bidder.consider().then([&]() { return follow(watch, bidder); });
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: outbid SERVER AUCTION NAME LIMIT\n");
    return 2;
  }
  auto io = kj::setupAsyncIo();
  gavel::SystemRandom random;
  auto server = kj::str(argv[1]);
  gavel::client::Client client(io.provider->getNetwork(), io.provider->getTimer(), random,
                               kj::arrayPtr(&server, 1));
  // A secret that only this bidder knows: the name is bound to it from the first bid on.
  const char* secret = std::getenv("OUTBID_SECRET");
  if (secret == nullptr) secret = "correct horse battery staple";
  gavel::client::Identity self{argv[3], kj::StringPtr(secret).asBytes()};
  Outbidder bidder(client, self, argv[2], std::atoll(argv[4]));

  gavel::client::Patience patience(
      io.provider->getTimer(),
      [](kj::StringPtr why) { std::printf("waiting for the chain: %s\n", why.cStr()); },
      []() { std::printf("the chain is back\n"); });
  gavel::client::AuctionWatch watch(client, patience, random, argv[2], 1);
  follow(watch, bidder).wait(io.waitScope);
  return 0;
}
