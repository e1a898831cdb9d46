#include "tests/support/workload.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <kj/debug.h>

namespace gavel::testing {
namespace {

const kj::StringPtr CREDENTIAL = "a secret of the test's bidders";

client::Identity identity(const std::string& name) {
  return {name.c_str(), CREDENTIAL.asBytes()};
}

// Reads the clock itself, since that of the event loop stands still within a turn.
kj::TimePoint now() {
  return kj::systemPreciseMonotonicClock().now();
}

}  // namespace

Workload::Workload(kj::AsyncIoContext& io, Target& target, std::size_t bidderCount,
                   std::size_t auctionCount)
    : Workload(io, target, Options{bidderCount, auctionCount, "", 0}) {}

Workload::Workload(kj::AsyncIoContext& io, Target& target, Options given)
    : io(io),
      target(target),
      options(std::move(given)),
      amounts(options.auctions, 0),
      began(now()),
      tasks(*this) {
  auto client = target.newClient();
  for (std::size_t i = 0; i < options.auctions; ++i) {
    auctions.push_back(options.prefix + "auction-" + std::to_string(i));
    capnp::MallocMessageBuilder message;
    auto terms = message.initRoot<schema::Terms>();
    terms.setDuration(3600'000'000'000);
    auto created = client->create(auctions[i].c_str(), identity("owner"), terms).wait(io.waitScope);
    KJ_REQUIRE(created.outcome().isSuccess(), created.outcome(), target.logs().c_str());
  }
  for (std::size_t i = 0; i < options.bidders; ++i) {
    bidders.push_back({options.prefix + "bidder-" + std::to_string(i), target.newClient(), i});
  }
  began = now();
  if (options.rate > 0) {
    tasks.add(bidAtRate());
  } else {
    for (auto& bidder: bidders) tasks.add(bidOn(bidder));
  }
}

Workload::~Workload() noexcept(false) = default;

kj::Promise<void> Workload::bidOnce(Bidder& bidder) {
  auto auction = bidder.next++ % auctions.size();
  auto amount = ++amounts[auction];
  return bidder.client->bid({auctions[auction].c_str(), identity(bidder.name), amount})
      .then([this, &bidder, auction, amount](client::WriteResult result) {
        record(auction, bidder, amount, result);
      });
}

kj::Promise<void> Workload::bidOn(Bidder& bidder) {
  if (stopping) return kj::READY_NOW;
  return bidOnce(bidder).then([this, &bidder]() { return bidOn(bidder); });
}

kj::Promise<void> Workload::bidAtRate() {
  if (stopping) return kj::READY_NOW;
  auto due =
      static_cast<std::uint64_t>((now() - began) / kj::MICROSECONDS) * options.rate / 1'000'000;
  for (; paced < due; ++paced) tasks.add(bidOnce(bidders[paced % bidders.size()]));
  return io.provider->getTimer().afterDelay(1 * kj::MILLISECONDS).then([this]() {
    return bidAtRate();
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
  told_.push_back(std::move(entry));
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
  return longestGap(since, acknowledgements.empty() ? since : acknowledgements.back());
}

kj::Duration Workload::longestGap(kj::TimePoint since, kj::TimePoint until) const {
  kj::Duration longest = 0 * kj::SECONDS;
  auto from = since;
  auto time = std::lower_bound(acknowledgements.begin(), acknowledgements.end(), since);
  for (; time != acknowledgements.end() && *time < until; ++time) {
    longest = kj::max(longest, *time - from);
    from = *time;
  }
  return kj::max(longest, until - from);
}

std::size_t Workload::acknowledgedBetween(kj::TimePoint since, kj::TimePoint until) const {
  auto begin = std::lower_bound(acknowledgements.begin(), acknowledgements.end(), since);
  return static_cast<std::size_t>(std::lower_bound(begin, acknowledgements.end(), until) - begin);
}

Workload::History Workload::historyOf(client::Client& client, const std::string& auction) {
  History history;
  std::int64_t highest = 0;
  std::uint64_t version = 0;
  for (bool more = true; more;) {
    auto page = client.history(auction.c_str(), version + 1, 0).wait(io.waitScope);
    KJ_REQUIRE(!page.get().hasFailure(), page.get().getFailure(), target.logs().c_str());
    for (auto change: page.get().getVersions()) {
      EXPECT_EQ(change.getVersion(), version + 1);
      version = change.getVersion();
      if (change.getKind() != schema::Version::Kind::BID) continue;
      EXPECT_GT(change.getAmount(), highest) << auction;
      highest = change.getAmount();
      history[highest] = {change.getWho().cStr(), version};
    }
    more = page.get().getMore();
  }
  return history;
}

void Workload::readAll() {
  auto client = target.newClient();
  for (auto& auction: auctions) historyOf(*client, auction);
}

void Workload::verify() {
  ASSERT_TRUE(stopping);
  check(target, told_.size());
}

void Workload::verifyCopy(Target& copy, std::size_t toldBefore) {
  check(copy, toldBefore);
}

void Workload::check(Target& asked, std::size_t toldBefore) {
  auto client = asked.newClient();
  std::vector<History> histories;
  for (auto& auction: auctions) histories.push_back(historyOf(*client, auction));
  std::vector<std::size_t> accounted(auctions.size(), 0);
  // A copy may lack everything from some version on, and nothing in between.
  std::vector<std::uint64_t> missingFrom(auctions.size(), UINT64_MAX);
  for (std::size_t i = 0; i < told_.size(); ++i) {
    auto& bid = told_[i];
    auto& history = histories[bid.auction];
    auto found = history.find(bid.amount);
    bool there = found != history.end();
    if (there) ++accounted[bid.auction];
    switch (bid.what) {
      case Told::What::success:
        if (there) {
          EXPECT_EQ(found->second.first, bid.bidder);
          EXPECT_EQ(found->second.second, bid.version) << "the outcome told was another one";
        } else if (i < toldBefore) {
          ADD_FAILURE() << "LOST: " << bid.amount << " by " << bid.bidder << " on "
                        << auctions[bid.auction];
        } else {
          auto& from = missingFrom[bid.auction];
          from = std::min(from, bid.version);
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
  for (std::size_t i = 0; i < auctions.size(); ++i) {
    EXPECT_EQ(accounted[i], histories[i].size()) << "bids that nobody made, on " << auctions[i];
    if (histories[i].empty()) continue;
    EXPECT_LT(histories[i].rbegin()->second.second, missingFrom[i])
        << "a copy has later bids than one it lacks, on " << auctions[i];
  }
}

void Workload::taskFailed(kj::Exception&& exception) {
  ADD_FAILURE() << "a bidder failed: " << kj::str(exception).cStr();
}

}  // namespace gavel::testing
