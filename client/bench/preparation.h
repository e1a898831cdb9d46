#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <kj/async.h>

#include "client/client.h"

namespace gavel::client::cli {

struct LoadPlan;

// The progress of all clients.
struct BenchPrepared {
  std::atomic<std::uint64_t> auctions{0};
  std::atomic<std::uint64_t> bidders{0};
};

// The work of one client of `gavel bench` before it is measured.  It creates its auctions.  Its
// share of the bidders each bid once, on an auction that nobody looks at, because a first bid
// registers the bidder and should not be measured.
//
// Rejects with what was not done and why: OVERLOADED if the chain is not available.
class BenchPreparation final {
public:
  // All arguments must outlive the promise of run().
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
