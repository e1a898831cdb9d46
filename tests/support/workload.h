#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <kj/async-io.h>

#include "client/client.h"

namespace gavel::testing {

// The chain under load, as the workload uses it.
class Target {
public:
  virtual ~Target() noexcept(false) = default;

  virtual std::unique_ptr<client::Client> newClient() = 0;
  // The logs of all its processes, for the message of a failure.
  virtual std::string logs() const = 0;
};

// Bidders that bid all at once, through the client library, and remember the answers.
class Workload: private kj::TaskSet::ErrorHandler {
public:
  struct Options {
    std::size_t bidders = 8;
    std::size_t auctions = 4;
    // Begins the names of auctions and bidders.
    std::string prefix;
    // Bids per second of all bidders together, whether they are answered or not.  0: each bids
    // again as soon as it is answered.
    unsigned rate = 0;
  };

  // Creates the auctions and starts bidding.
  Workload(kj::AsyncIoContext& io, Target& target, Options options);
  Workload(kj::AsyncIoContext& io, Target& target, std::size_t bidders, std::size_t auctions);
  ~Workload() noexcept(false);
  KJ_DISALLOW_COPY(Workload);

  void runFor(kj::Duration time);
  // Runs until bids have been acknowledged for `time` without a longer gap.  Throws if that does
  // not happen within `patience`.
  void runUntilSteady(kj::Duration time, kj::Duration patience = 20 * kj::SECONDS);
  // Makes no new bids, and waits for those under way.
  void stop();

  std::size_t acknowledged() const { return acknowledgements.size(); }
  std::size_t unknown() const { return unknown_; }

  // The longest time without an acknowledgement in [since, end].  `end` is the last
  // acknowledgement, or `until`.
  kj::Duration longestGap(kj::TimePoint since) const;
  kj::Duration longestGap(kj::TimePoint since, kj::TimePoint until) const;
  std::size_t acknowledgedBetween(kj::TimePoint since, kj::TimePoint until) const;

  // Reads all histories and compares them with the answers.  It adds to the test's failures: a
  // success that is missing, appears twice, or has another version; a refused bid that is there; a
  // history that does not rise.
  void verify();

  // Reads all histories without comparing them.  Whoever answers has to read all that it has stored
  // of them.  Bidding may go on.
  void readAll();

  // How many answers bidders have now.
  std::size_t told() const { return told_.size(); }
  // As verify(), in a copy of the chain that was taken when bidders had at least `toldBefore`
  // answers.  Later bids may be missing, from some version on.
  void verifyCopy(Target& copy, std::size_t toldBefore);

  const std::string& auction(std::size_t i) const { return auctions[i]; }
  // An amount that nobody has bid on it yet, or will bid.
  std::int64_t nextAmount(std::size_t i) { return ++amounts[i]; }

private:
  struct Told {
    std::size_t auction;
    std::string bidder;
    std::int64_t amount;
    enum class What { success, refused, unknown } what;
    std::uint64_t version;  // Of a success.
  };
  struct Bidder {
    std::string name;
    std::unique_ptr<client::Client> client;
    std::size_t next = 0;
  };

  // By amount, which only one bidder ever used: the bidder and the version.
  using History = std::map<std::int64_t, std::pair<std::string, std::uint64_t>>;

  kj::AsyncIoContext& io;
  Target& target;
  Options options;
  std::vector<Bidder> bidders;
  std::vector<std::string> auctions;
  std::vector<std::int64_t> amounts;  // The last amount that was bid, by auction.
  std::vector<Told> told_;
  std::vector<kj::TimePoint> acknowledgements;
  kj::TimePoint began;
  std::uint64_t paced = 0;  // Bids made so far, at a rate.
  std::size_t unknown_ = 0;
  bool stopping = false;
  kj::TaskSet tasks;

  kj::Promise<void> bidOnce(Bidder& bidder);
  kj::Promise<void> bidOn(Bidder& bidder);
  kj::Promise<void> bidAtRate();
  void record(std::size_t auction, const Bidder& bidder, std::int64_t amount,
              const client::WriteResult& result);
  void check(Target& target, std::size_t toldBefore);
  History historyOf(client::Client& client, const std::string& auction);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::testing
