#include "tests/support/workload.h"

#include <map>

#include <gtest/gtest.h>
#include <kj/debug.h>

namespace gavel::testing {
namespace {

const kj::StringPtr CREDENTIAL = "a secret of the test's bidders";

client::Identity identity(const std::string& name) {
  return {name.c_str(), CREDENTIAL.asBytes()};
}

// The clock itself: the event loop's is frozen within a turn.
kj::TimePoint now() {
  return kj::systemPreciseMonotonicClock().now();
}

}  // namespace

Workload::Workload(kj::AsyncIoContext& io, Target& target, std::size_t bidderCount,
                   std::size_t auctionCount)
    : io(io), target(target), amounts(auctionCount, 0), tasks(*this) {
  auto client = target.newClient();
  for (std::size_t i = 0; i < auctionCount; ++i) {
    auctions.push_back("auction-" + std::to_string(i));
    capnp::MallocMessageBuilder message;
    auto terms = message.initRoot<schema::Terms>();
    terms.setDuration(3600'000'000'000);
    auto created = client->create(auctions[i].c_str(), identity("owner"), terms).wait(io.waitScope);
    KJ_REQUIRE(created.outcome().isSuccess(), created.outcome(), target.logs().c_str());
  }
  for (std::size_t i = 0; i < bidderCount; ++i) {
    bidders.push_back({"bidder-" + std::to_string(i), target.newClient(), i});
  }
  for (auto& bidder: bidders) tasks.add(bidOn(bidder));
}

Workload::~Workload() noexcept(false) = default;

kj::Promise<void> Workload::bidOn(Bidder& bidder) {
  if (stopping) return kj::READY_NOW;
  auto auction = bidder.next++ % auctions.size();
  auto amount = ++amounts[auction];
  return bidder.client->bid({auctions[auction].c_str(), identity(bidder.name), amount})
      .then([this, &bidder, auction, amount](client::WriteResult result) {
        record(auction, bidder, amount, result);
        return bidOn(bidder);
      });
}

void Workload::record(std::size_t auction, const Bidder& bidder, std::int64_t amount,
                      const client::WriteResult& result) {
  auto outcome = result.outcome();
  Told entry{auction, bidder.name, amount, Told::What::refused, 0};
  if (outcome.isSuccess()) {
    entry.what = Told::What::success;
    entry.version = outcome.getSuccess().getVersion();
    acknowledgements.push_back(now());
  } else if (outcome.isFail()) {
    acknowledgements.push_back(now());
  } else {
    auto reason = outcome.getException().getReason();
    if (reason == schema::Outcome::Exception::Reason::OUTCOME_UNKNOWN) {
      entry.what = Told::What::unknown;
      ++unknown_;
    } else {
      ADD_FAILURE() << "a bid came to " << kj::str(outcome).cStr();
    }
  }
  told.push_back(std::move(entry));
}

void Workload::runFor(kj::Duration time) {
  io.provider->getTimer().afterDelay(time).wait(io.waitScope);
}

void Workload::runUntilSteady(kj::Duration time, kj::Duration patience) {
  auto end = now() + patience;
  auto steadySince = now();
  while (now() - steadySince < time) {
    KJ_REQUIRE(now() < end, "bids are not acknowledged any more", acknowledged(),
               target.logs().c_str());
    auto before = acknowledged();
    runFor(20 * kj::MILLISECONDS);
    if (acknowledged() == before) steadySince = now();
  }
}

void Workload::stop() {
  stopping = true;
  tasks.onEmpty().wait(io.waitScope);
}

kj::Duration Workload::longestGap(kj::TimePoint since) const {
  kj::Duration longest = 0 * kj::SECONDS;
  auto from = since;
  for (auto time: acknowledgements) {
    if (time < since) continue;
    longest = kj::max(longest, time - from);
    from = time;
  }
  return longest;
}

void Workload::verify() {
  ASSERT_TRUE(stopping);
  auto client = target.newClient();
  for (std::size_t i = 0; i < auctions.size(); ++i) {
    // By amount, which only one bidder ever used.
    std::map<std::int64_t, std::pair<std::string, std::uint64_t>> history;
    std::int64_t highest = 0;
    std::uint64_t version = 0;
    for (bool more = true; more;) {
      auto page = client->history(auctions[i].c_str(), version + 1, 0).wait(io.waitScope);
      ASSERT_FALSE(page.get().hasFailure()) << kj::str(page.get()).cStr();
      for (auto change: page.get().getVersions()) {
        EXPECT_EQ(change.getVersion(), version + 1);
        version = change.getVersion();
        if (change.getKind() != schema::Version::Kind::BID) continue;
        EXPECT_GT(change.getAmount(), highest) << auctions[i];
        highest = change.getAmount();
        history[highest] = {change.getWho().cStr(), version};
      }
      more = page.get().getMore();
    }
    std::size_t accounted = 0;
    for (auto& bid: told) {
      if (bid.auction != i) continue;
      auto found = history.find(bid.amount);
      bool there = found != history.end();
      if (there) ++accounted;
      switch (bid.what) {
        case Told::What::success:
          if (!there) {
            ADD_FAILURE() << "LOST: " << bid.amount << " by " << bid.bidder << " on "
                          << auctions[i];
          } else {
            EXPECT_EQ(found->second.first, bid.bidder);
            EXPECT_EQ(found->second.second, bid.version) << "the outcome told was another one";
          }
          break;
        case Told::What::refused:
          EXPECT_FALSE(there) << "told as refused, but accepted: " << bid.amount << " by "
                              << bid.bidder;
          break;
        case Told::What::unknown:
          break;
      }
    }
    EXPECT_EQ(accounted, history.size()) << "bids that nobody made";
  }
}

void Workload::taskFailed(kj::Exception&& exception) {
  ADD_FAILURE() << "a bidder failed: " << kj::str(exception).cStr();
}

}  // namespace gavel::testing
