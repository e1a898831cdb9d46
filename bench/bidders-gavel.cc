#include <kj/debug.h>

#include "base/random.h"
#include "bench/bidders.h"
#include "client/client.h"

namespace gavel::bench {
namespace {

const kj::StringPtr CREDENTIAL = "a secret of the benchmark";
constexpr unsigned BIDDERS = 16;
constexpr std::int64_t DAY = 86'400'000'000'000;  // ns

class OverGavel final: public Caller {
public:
  OverGavel(kj::AsyncIoContext& io, const std::vector<std::string>& seeds, unsigned auctions,
            unsigned batch)
      : batch(batch) {
    auto list = KJ_MAP(seed, seeds) {
      return kj::str(seed.c_str());
    };
    client =
        kj::heap<client::Client>(io.provider->getNetwork(), io.provider->getTimer(), random, list);
    capnp::MallocMessageBuilder message;
    auto terms = message.initRoot<schema::Terms>();
    terms.setDuration(DAY);
    auto prefix = kj::str("bench-", kj::hex(random.next()), "-");
    for (unsigned i = 0; i < auctions; ++i) {
      lots.push_back({kj::str(prefix, i), 0});
      auto created = client->create(lots.back().name, {"seller", CREDENTIAL.asBytes()}, terms)
                         .wait(io.waitScope);
      KJ_REQUIRE(created.outcome().isSuccess(), created.outcome());
    }
    for (unsigned i = 0; i < BIDDERS; ++i) bidders.push_back(kj::str("bidder-", i));
  }

  kj::Promise<void> call() override {
    if (batch == 1) {
      return client->bid(next()).then([](client::WriteResult result) { expect(result); });
    }
    auto orders = kj::heapArrayBuilder<client::BidOrder>(batch);
    for (unsigned i = 0; i < batch; ++i) orders.add(next());
    return client->bids(orders).then([](kj::Array<client::WriteResult> results) {
      for (auto& result: results) expect(result);
    });
  }

private:
  struct Lot {
    kj::String name;
    std::int64_t highest;
  };

  unsigned batch;
  SystemRandom random;
  std::vector<Lot> lots;
  std::vector<kj::String> bidders;
  std::size_t turn = 0;
  kj::Own<client::Client> client;

  client::BidOrder next() {
    auto& lot = lots[turn % lots.size()];
    auto& bidder = bidders[turn++ % bidders.size()];
    return {lot.name, {bidder, CREDENTIAL.asBytes()}, ++lot.highest};
  }

  static void expect(const client::WriteResult& result) {
    KJ_REQUIRE(result.outcome().isSuccess(), "a bid did not succeed", result.outcome());
  }
};

}  // namespace

MakeCaller overGavel(std::vector<std::string> seeds, unsigned auctions, unsigned batch) {
  return [=](kj::AsyncIoContext& io) -> kj::Own<Caller> {
    return kj::heap<OverGavel>(io, seeds, auctions, batch);
  };
}

}  // namespace gavel::bench
