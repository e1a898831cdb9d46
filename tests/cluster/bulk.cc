#include "tests/cluster/bulk.h"

#include <gtest/gtest.h>
#include <kj/debug.h>

namespace gavel::cluster {
namespace {

constexpr std::size_t SHARES = 4;
constexpr std::size_t AT_A_TIME = 64;
constexpr std::int64_t DURATION = 3600'000'000'000;

client::Identity identity(kj::StringPtr name) {
  return {name, kj::StringPtr("a secret of the bulk bidders").asBytes()};
}

}  // namespace

Bulk::Bulk(kj::AsyncIoContext& io, gavel::testing::Target& target, std::size_t count,
           std::string prefix)
    : io(io), target(target), highest(count, 0), closed(count, false), tasks(*this) {
  for (std::size_t i = 0; i < count; ++i) auctions.push_back(prefix + std::to_string(i));
  auto size = (count + SHARES - 1) / SHARES;
  for (std::size_t first = 0; first < count; first += size) {
    shares.push_back({target.newClient(), first, std::min(first + size, count)});
  }
  forEach(0, count, [this](std::size_t i) {
    capnp::MallocMessageBuilder message;
    auto terms = message.initRoot<schema::Terms>();
    terms.setDuration(DURATION);
    return shares[i % shares.size()]
        .client->create(auctions[i].c_str(), identity("bulk-owner"), terms)
        .then([](client::WriteResult result) {
          KJ_REQUIRE(result.outcome().isSuccess(), result.outcome());
        });
  });
}

void Bulk::forEach(std::size_t first, std::size_t count,
                   kj::Function<kj::Promise<void>(std::size_t)> one) {
  struct Progress {
    std::size_t next;
    std::size_t end;
    kj::Function<kj::Promise<void>(std::size_t)> one;

    kj::Promise<void> go() {
      if (next == end) return kj::READY_NOW;
      return one(next++).then([this]() { return go(); });
    }
  } progress{first, first + count, kj::mv(one)};
  for (std::size_t i = 0; i < AT_A_TIME; ++i)
    tasks.add(kj::evalNow([&]() { return progress.go(); }));
  tasks.onEmpty().wait(io.waitScope);
}

kj::Promise<void> Bulk::bid(std::size_t rounds) {
  auto all = kj::heapArrayBuilder<kj::Promise<void>>(shares.size());
  for (auto& share: shares) all.add(bidRounds(share, rounds));
  return kj::joinPromises(all.finish());
}

kj::Promise<void> Bulk::bidRounds(Share& share, std::size_t rounds) {
  if (rounds == 0) return kj::READY_NOW;
  std::vector<std::size_t> chosen;
  std::vector<client::BidOrder> orders;
  for (std::size_t i = share.first; i < share.end; ++i) {
    if (closed[i]) continue;
    chosen.push_back(i);
    orders.push_back({auctions[i].c_str(), identity("bulk-bidder"), highest[i] + 1});
  }
  return share.client->bids(kj::arrayPtr(orders.data(), orders.size()))
      .then([this, &share, rounds, chosen](kj::Array<client::WriteResult> results) {
        for (std::size_t i = 0; i < chosen.size(); ++i) {
          KJ_REQUIRE(results[i].outcome().isSuccess(), results[i].outcome());
          ++highest[chosen[i]];
        }
        bids_ += chosen.size();
        return bidRounds(share, rounds - 1);
      });
}

void Bulk::close(std::size_t first, std::size_t count) {
  forEach(first, count, [this](std::size_t i) {
    return shares[i % shares.size()]
        .client->close(auctions[i].c_str(), identity("bulk-owner"))
        .then([this, i](client::WriteResult result) {
          KJ_REQUIRE(result.outcome().isSuccess(), result.outcome());
          closed[i] = true;
        });
  });
}

void Bulk::verify() {
  auto client = target.newClient();
  forEach(0, auctions.size(), [this, &client](std::size_t i) {
    return verifyHistory(*client, i, 1).then([this, &client, i]() {
      return verifyResult(*client, i);
    });
  });
}

kj::Promise<void> Bulk::verifyHistory(client::Client& client, std::size_t auction,
                                      std::uint64_t from) {
  return client.history(auctions[auction].c_str(), from, 0)
      .then([this, &client, auction, from](client::HistoryPage page) -> kj::Promise<void> {
        KJ_REQUIRE(!page.get().hasFailure(), page.get().getFailure());
        auto version = from;
        for (auto change: page.get().getVersions()) {
          // The first version is the auction's creation.
          auto bid = static_cast<std::int64_t>(version) - 1;
          KJ_REQUIRE(change.getVersion() == version, auctions[auction].c_str());
          bool isBid = change.getKind() == schema::Version::Kind::BID;
          KJ_REQUIRE(isBid == (bid > 0 && bid <= highest[auction]), auctions[auction].c_str(), bid);
          KJ_REQUIRE(!isBid || change.getAmount() == bid, auctions[auction].c_str(), bid);
          ++version;
        }
        if (page.get().getMore()) return verifyHistory(client, auction, version);
        auto expected =
            1 + static_cast<std::uint64_t>(highest[auction]) + (closed[auction] ? 1 : 0);
        KJ_REQUIRE(version - 1 == expected, "LOST bids", auctions[auction].c_str());
        return kj::READY_NOW;
      });
}

kj::Promise<void> Bulk::verifyResult(client::Client& client, std::size_t auction) {
  return client.result(auctions[auction].c_str()).then([this, auction](client::Answer answer) {
    KJ_REQUIRE(answer.get().isAuction(), answer.get());
    auto state = answer.get().getAuction().getState();
    if (closed[auction]) {
      KJ_REQUIRE(state.isSold(), answer.get());
      KJ_REQUIRE(state.getSold().getPrice() == highest[auction], answer.get());
    } else {
      KJ_REQUIRE(state.isOpen(), answer.get());
      KJ_REQUIRE(state.getOpen().getHighest() == highest[auction], answer.get());
    }
  });
}

void Bulk::taskFailed(kj::Exception&& exception) {
  ADD_FAILURE() << kj::str(exception).cStr();
}

}  // namespace gavel::cluster
