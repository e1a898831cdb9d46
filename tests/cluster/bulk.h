#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <kj/async-io.h>

#include "client/client.h"
#include "tests/support/workload.h"

namespace gavel::cluster {

// Many auctions that get many bids quickly, in long lists.  All bids must succeed.
class Bulk: private kj::TaskSet::ErrorHandler {
public:
  // Creates the auctions.  `target` must outlive this object.
  Bulk(kj::AsyncIoContext& io, gavel::testing::Target& target, std::size_t auctions,
       std::string prefix = "bulk-");
  KJ_DISALLOW_COPY(Bulk);

  // Makes one more bid on each open auction, `rounds` times.
  kj::Promise<void> bid(std::size_t rounds);
  // Closes `count` auctions from number `first` on, as their owner.
  void close(std::size_t first, std::size_t count);

  std::size_t bids() const { return bids_; }
  // Reads all histories, and the results of the auctions that were closed.  Adds what is missing or
  // wrong to the test's failures.
  void verify();

private:
  // Auctions of one session, so that lists of several sessions can be under way.
  struct Share {
    std::unique_ptr<client::Client> client;
    std::size_t first;
    std::size_t end;
  };

  kj::AsyncIoContext& io;
  gavel::testing::Target& target;
  std::vector<std::string> auctions;
  // By auction.  Its bids are all numbers up to and including this.
  std::vector<std::int64_t> highest;
  std::vector<bool> closed;
  std::vector<Share> shares;
  std::size_t bids_ = 0;
  kj::TaskSet tasks;

  kj::Promise<void> bidRounds(Share& share, std::size_t rounds);
  kj::Promise<void> verifyHistory(client::Client& client, std::size_t auction, std::uint64_t from);
  kj::Promise<void> verifyResult(client::Client& client, std::size_t auction);
  // Calls `one` for all numbers, a bounded number of them at a time.
  void forEach(std::size_t first, std::size_t count,
               kj::Function<kj::Promise<void>(std::size_t)> one);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::cluster
