#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <kj/async.h>

#include "client/client.h"

namespace gavel::client::cli {

struct LoadPlan;

// How far all clients are.
struct BenchPrepared {
  std::atomic<std::uint64_t> auctions{0};
  std::atomic<std::uint64_t> bidders{0};
};

// What one client of `gavel bench` does before it is measured: creates its auctions, and has its
// share of the bidders bid once, on an auction that nobody looks at, as what is measured are not
// their first bids, which register them.
//
// Rejects with what was not done and why: OVERLOADED if the chain is not available.
class BenchPreparation final {
public:
  // All of it must outlive what run() returns.
  BenchPreparation(Client& client, const LoadPlan& plan, unsigned number,
                   const std::vector<std::uint32_t>& auctions, BenchPrepared& prepared,
                   const std::atomic<bool>& stop);
  KJ_DISALLOW_COPY(BenchPreparation);

  kj::Promise<void> run();

private:
  Client& client;
  const LoadPlan& plan;
  const unsigned number;
  const std::vector<std::uint32_t>& auctions;
  BenchPrepared& prepared;
  const std::atomic<bool>& stop;
  std::size_t nextAuction = 0;
  std::uint64_t nextBidder;
  std::int64_t amount = 0;

  kj::Promise<void> create(std::string name);
  kj::Promise<void> createNext();
  kj::Promise<void> registerBidders();
  kj::Promise<void> registerNext(std::string auction);
  Identity identity(const std::string& name) const;
};

}  // namespace gavel::client::cli
