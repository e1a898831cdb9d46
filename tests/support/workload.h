#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <kj/async-io.h>

#include "client/client.h"

namespace gavel::testing {

// The chain under load, as the workload needs it.
class Target {
public:
  virtual ~Target() noexcept(false) = default;

  virtual std::unique_ptr<client::Client> newClient() = 0;
  // Of all its processes, for a failure's message.
  virtual std::string logs() const = 0;
};

// Bidders that bid all at once, through the client library, and remember what they were told.
class Workload: private kj::TaskSet::ErrorHandler {
public:
  // Creates the auctions and starts bidding.
  Workload(kj::AsyncIoContext& io, Target& target, std::size_t bidders, std::size_t auctions);
  ~Workload() noexcept(false);
  KJ_DISALLOW_COPY(Workload);

  void runFor(kj::Duration time);
  // Runs until bids have been acknowledged for `time` without a gap of more than that.  Throws if
  // that does not happen within `patience`.
  void runUntilSteady(kj::Duration time, kj::Duration patience = 20 * kj::SECONDS);
  // No new bids; waits for those under way.
  void stop();

  std::size_t acknowledged() const { return acknowledgements.size(); }
  std::size_t unknown() const { return unknown_; }

  // The longest time without an acknowledgement that ended after `since`: from `since`, or from its
  // beginning if that was later, to its end.
  kj::Duration longestGap(kj::TimePoint since) const;

  // Reads all histories and holds them against what the bidders were told.  Adds to the test's
  // failures: a success that is missing, or is there twice or under another version; a refusal that
  // is there all the same; a history that does not rise.
  void verify();

private:
  struct Told {
    std::size_t auction;
    std::string bidder;
    std::int64_t amount;
    enum class What { success, refused, unknown } what;
    std::uint64_t version;  // success.
  };
  struct Bidder {
    std::string name;
    std::unique_ptr<client::Client> client;
    std::size_t next = 0;
  };

  kj::AsyncIoContext& io;
  Target& target;
  std::vector<Bidder> bidders;
  std::vector<std::string> auctions;
  std::vector<std::int64_t> amounts;  // The last one bid, by auction.
  std::vector<Told> told;
  std::vector<kj::TimePoint> acknowledgements;
  std::size_t unknown_ = 0;
  bool stopping = false;
  kj::TaskSet tasks;

  kj::Promise<void> bidOn(Bidder& bidder);
  void record(std::size_t auction, const Bidder& bidder, std::int64_t amount,
              const client::WriteResult& result);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::testing
