#include "client/bench/preparation.h"

#include <utility>

#include <kj/debug.h>

#include "client/bench/check.h"
#include "client/bench/load.h"

namespace gavel::client::cli {
namespace {

constexpr std::int64_t HOUR = 3'600'000'000'000;  // ns
constexpr std::int64_t DAY = 24 * HOUR;
constexpr unsigned CREATING = 256;     // Auctions created at a time.
constexpr unsigned REGISTERING = 256;  // Bidders in one call.

kj::Exception whyNot(const std::string& what, schema::Outcome::Reader outcome) {
  auto detail =
      outcome.isException() ? outcome.getException().getDetail() : capnp::Text::Reader("");
  auto type = cameOf(outcome) == Came::unavailable ? kj::Exception::Type::OVERLOADED
                                                   : kj::Exception::Type::FAILED;
  return {type, __FILE__, __LINE__, kj::str(what.c_str(), ": ", detail)};
}

}  // namespace

BenchPreparation::BenchPreparation(Client& client, const LoadPlan& plan, unsigned number,
                                   const std::vector<std::uint32_t>& auctions,
                                   BenchPrepared& prepared, const std::atomic<bool>& stop)
    : client(client),
      plan(plan),
      number(number),
      auctions(auctions),
      prepared(prepared),
      stop(stop),
      nextBidder(number) {}

kj::Promise<void> BenchPreparation::run() {
  // One client creates each of the auctions that are shared.
  bool creates = plan.auctions >= plan.clients || number < plan.auctions;
  kj::Vector<kj::Promise<void>> all;
  for (unsigned i = 0; creates && i < CREATING; ++i) all.add(createNext());
  return kj::joinPromises(all.releaseAsArray()).then([this]() { return registerBidders(); });
}

kj::Promise<void> BenchPreparation::create(std::string name) {
  auto terms = Message<schema::Terms>::make([&](schema::Terms::Builder terms) {
    terms.setItem("of a measurement");
    // The duration of a number of bids is not known.
    auto taking = plan.bids > 0 ? DAY : (plan.warmUp + plan.duration) / kj::NANOSECONDS;
    terms.setDuration(taking + HOUR);
  });
  auto owner = plan.prefix + "owner";
  return client.create(name.c_str(), identity(owner), terms.get()).then([name](WriteResult result) {
    if (!result.outcome().isSuccess()) {
      kj::throwFatalException(whyNot("auction \"" + name + "\" was not created", result.outcome()));
    }
  });
}

kj::Promise<void> BenchPreparation::createNext() {
  if (nextAuction == auctions.size() || stop) return kj::READY_NOW;
  return create(plan.auctionName(auctions[nextAuction++])).then([this]() {
    prepared.auctions.fetch_add(1, std::memory_order_relaxed);
    return createNext();
  });
}

kj::Promise<void> BenchPreparation::registerBidders() {
  if (nextBidder >= plan.bidders || stop) return kj::READY_NOW;
  auto auction = plan.prefix + "r" + std::to_string(number);
  return create(auction).then([this, auction]() { return registerNext(auction); });
}

kj::Promise<void> BenchPreparation::registerNext(std::string auction) {
  if (nextBidder >= plan.bidders || stop) return kj::READY_NOW;
  std::vector<std::string> names;
  for (; nextBidder < plan.bidders && names.size() < REGISTERING; nextBidder += plan.clients) {
    names.push_back(bidderName(plan.bidderPrefix(), static_cast<std::uint32_t>(nextBidder)));
  }
  auto orders = KJ_MAP(name, names) {
    return BidOrder{{auction.c_str(), auction.size()}, identity(name), ++amount};
  };
  return client.bids(orders).then([this, auction,
                                   names = std::move(names)](kj::Array<WriteResult> results) {
    for (auto i: kj::indices(results)) {
      auto outcome = results[i].outcome();
      if (outcome.isSuccess()) continue;
      kj::throwFatalException(whyNot("bidder \"" + names[i] + "\" was not registered", outcome));
    }
    prepared.bidders.fetch_add(results.size(), std::memory_order_relaxed);
    return registerNext(auction);
  });
}

Identity BenchPreparation::identity(const std::string& name) const {
  return {kj::StringPtr(name.c_str(), name.size()), plan.credential};
}

}  // namespace gavel::client::cli
