#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <kj/async.h>
#include <kj/thread.h>
#include <kj/time.h>

#include "client/bench/check.h"
#include "client/bench/preparation.h"
#include "client/bench/samples.h"

// The load of `gavel bench`: clients in threads of their own, each with its own event loop, since
// one thread cannot keep a chain busy on a large machine.
namespace gavel::client::cli {

struct LoadPlan {
  std::vector<std::string> servers;
  kj::Duration timeout = 5 * kj::SECONDS;  // Of each call.
  kj::Array<const kj::byte> credential;
  std::string prefix;  // Of the names of auctions and bidders, which nobody else uses.

  unsigned threads = 1;
  unsigned clients = 1;    // Each with connections and a session of its own.
  unsigned inFlight = 64;  // Calls, of all clients together.
  unsigned auctions = 64;
  unsigned bidders = 64;
  unsigned batch = 1;  // Bids in one call.
  // So many calls bid, then so many ask for a result, and so on.
  unsigned bidShare = 1;
  unsigned resultShare = 0;
  // Calls a second, of all clients together, made at their times whether or not earlier ones are
  // answered (open loop; `inFlight` bounds how many are not).  0: each answer is followed by
  // another call (closed loop).
  double callsPerSecond = 0;

  kj::Duration warmUp = 1 * kj::SECONDS;
  kj::Duration duration = 10 * kj::SECONDS;  // Counted; unless there is a number of
  std::uint64_t bids = 0;                    // bids, counted.

  std::string auctionName(std::uint32_t auction) const { return prefix + std::to_string(auction); }
  std::string bidderPrefix() const { return prefix + "b"; }
};

// What bids may come to.
enum class Came : unsigned { success, tooLow, refused, unavailable, unknown };
constexpr unsigned CAME_KINDS = 5;
Came cameOf(schema::Outcome::Reader outcome);

// What one thread has seen.
struct Seen {
  std::vector<Sample> bids;                      // While counting.
  std::vector<Sample> results;                   // Likewise.
  std::array<std::uint64_t, CAME_KINDS> came{};  // Likewise.
  std::uint64_t failedResults = 0;               // Likewise.
  std::vector<Told> told;                        // From the beginning.
  std::vector<std::string> problems;             // Answers that cannot be true.
  std::string refusal;                           // Of a bid, the first one.
  std::uint64_t late = 0;     // Calls that could not be made when they were due, as too many were
  std::int64_t mostLate = 0;  // under way; by how much, ns.

  void add(Seen&& other);
};

class BenchLoad {
public:
  // Starts the threads, which connect and prepare (BenchPreparation).
  explicit BenchLoad(LoadPlan plan);
  ~BenchLoad() noexcept(false);
  KJ_DISALLOW_COPY(BenchLoad);

  // Resolves when all auctions and bidders are there.  Rejects with why not: OVERLOADED if the
  // chain is not available.
  kj::Promise<void> ready();
  // Of all, for telling how far it is.
  const BenchPrepared& prepared() const { return shared->prepared; }

  // Begins, after ready().  Resolves when all is over and every call is answered.
  kj::Promise<Seen> run();
  // Ends sooner than planned.
  void stop() { shared->stop = true; }

  // Once it runs.
  kj::TimePoint countingSince() const { return shared->begin; }
  // How long it has counted, once it is over.
  kj::Duration counted() const;
  // Bids that were accepted since it began, warm-up included.
  std::uint64_t accepted() const { return shared->accepted.load(std::memory_order_relaxed); }

  const LoadPlan& plan() const { return shared->plan; }

  // What all threads share.
  struct Lot {
    std::atomic<std::int64_t> offered{0};
    std::atomic<std::int64_t> accepted{0};  // The highest that was.
  };
  struct Shared {
    LoadPlan plan;
    std::unique_ptr<Lot[]> lots;
    kj::TimePoint begin = kj::origin<kj::TimePoint>();  // Of counting, by the precise clock.
    std::atomic<std::int64_t> endedAfter{0};            // ns since `begin`.
    std::atomic<std::int64_t> bidsLeft{0};              // To be counted.
    BenchPrepared prepared;
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<bool> stop{false};
  };

private:
  class Worker;
  using Go = kj::Own<kj::CrossThreadPromiseFulfiller<void>>;

  std::unique_ptr<Shared> shared;
  kj::Vector<kj::Promise<Go>> readiness;
  kj::Vector<Go> waiting;
  kj::Vector<kj::Promise<Seen>> results;
  kj::Vector<kj::Own<kj::Thread>> threads;  // Destroyed first: each waits for its thread.
};

}  // namespace gavel::client::cli
