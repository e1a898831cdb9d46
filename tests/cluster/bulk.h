#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <kj/async-io.h>

#include "client/client.h"
#include "tests/support/workload.h"

namespace gavel::cluster {

// Many auctions that get many bids quickly, in long lists, all of which must succeed.
class Bulk: private kj::TaskSet::ErrorHandler {
public:
  // Creates the auctions.  `target` must outlive this object.
  Bulk(kj::AsyncIoContext& io, gavel::testing::Target& target, std::size_t auctions,
       std::string prefix = "bulk-");
  KJ_DISALLOW_COPY(Bulk);

  // One more bid on each open auction, `rounds` times.
  kj::Promise<void> bid(std::size_t rounds);
  // As its owner, those from number `first` on.
  void close(std::size_t first, std::size_t count);

  std::size_t bids() const { return bids_; }
  // Reads all histories, and the results of those auctions that were closed.  Adds to the test's
  // failures whatever is missing or wrong.
  void verify();

private:
  // Auctions of one session, so that lists of several can be under way.
  struct Share {
    std::unique_ptr<client::Client> client;
    std::size_t first;
    std::size_t end;
  };

  kj::AsyncIoContext& io;
  gavel::testing::Target& target;
  std::vector<std::string> auctions;
  std::vector<std::int64_t> highest;  // By auction; its bids are all numbers up to this.
  std::vector<bool> closed;
  std::vector<Share> shares;
  std::size_t bids_ = 0;
  kj::TaskSet tasks;

  kj::Promise<void> bidRounds(Share& share, std::size_t rounds);
  kj::Promise<void> verifyHistory(client::Client& client, std::size_t auction, std::uint64_t from);
  kj::Promise<void> verifyResult(client::Client& client, std::size_t auction);
  // `one` for all numbers, a bounded number of them at a time.
  void forEach(std::size_t first, std::size_t count,
               kj::Function<kj::Promise<void>(std::size_t)> one);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::cluster
