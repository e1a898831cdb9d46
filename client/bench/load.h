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
  std::string prefix;  // Begins the names of auctions and bidders, so that nobody else uses them.

  unsigned threads = 1;
  unsigned clients = 1;    // Each has connections and a session of its own.
  unsigned inFlight = 64;  // Calls under way, of all clients together.
  unsigned auctions = 64;
  unsigned bidders = 64;
  unsigned batch = 1;  // Bids in one call.
  // `bidShare` calls bid, then `resultShare` calls query, and so on.
  unsigned bidShare = 1;
  unsigned resultShare = 0;
  // Calls a second, of all clients together.  In this open loop each call is made at its time,
  // whether earlier ones are answered or not, but at most `inFlight` are under way.  0: a closed
  // loop, where each answer is followed by another call.
  double callsPerSecond = 0;

  kj::Duration warmUp = 1 * kj::SECONDS;
  kj::Duration duration = 10 * kj::SECONDS;  // Counting lasts this long, if `bids` is 0.
  std::uint64_t bids = 0;                    // If above 0: counting lasts for so many bids.

  std::string auctionName(std::uint32_t auction) const { return prefix + std::to_string(auction); }
  std::string bidderPrefix() const { return prefix + "b"; }
};

// The possible results of a bid.
enum class Came : unsigned { success, tooLow, refused, unavailable, unknown };
constexpr unsigned CAME_KINDS = 5;
Came cameOf(schema::Outcome::Reader outcome);

// The results of one thread.
struct Seen {
  std::vector<Sample> bids;                      // Answered bids, while counting.
  std::vector<Sample> results;                   // Answered queries, while counting.
  std::array<std::uint64_t, CAME_KINDS> came{};  // Bids with each result, while counting.
  std::uint64_t failedResults = 0;               // Queries without an answer, while counting.
  std::vector<Told> told;             // Accepted bids and unknown ones, warm-up included.
  std::vector<std::string> problems;  // Answers that cannot be true.
  std::string refusal;                // Why the first refused bid was refused.
  std::uint64_t late = 0;             // Calls that were late, as too many were under way.
  // Calls that were due, and not made until `timeout` after the end, for the same reason.
  std::uint64_t notMade = 0;
  std::int64_t mostLate = 0;  // The longest such delay, ns.

  void add(Seen&& other);
};

class BenchLoad {
public:
  // Starts the threads, which connect and prepare (BenchPreparation).
  explicit BenchLoad(LoadPlan plan);
  ~BenchLoad() noexcept(false);
  KJ_DISALLOW_COPY(BenchLoad);

  // Resolves when all auctions and bidders are there.  Rejects with the reason if they are not:
  // OVERLOADED if the chain is not available.
  kj::Promise<void> ready();
  // The progress of all threads.
  const BenchPrepared& prepared() const { return shared->prepared; }

  // Begins, after ready().  Resolves when the time is over and every call is answered.
  kj::Promise<Seen> run();
  // Ends the run early.
  void stop() { shared->stop = true; }

  // When counting began.  To be called while run() runs or afterwards.
  kj::TimePoint countingSince() const { return shared->begin; }
  // How long it counted.  To be called after run().
  kj::Duration counted() const;
  // Bids accepted since run() began, warm-up included.
  std::uint64_t accepted() const { return shared->accepted.load(std::memory_order_relaxed); }

  const LoadPlan& plan() const { return shared->plan; }

  // The state that all threads share.
  struct Lot {
    std::atomic<std::int64_t> offered{0};
    std::atomic<std::int64_t> accepted{0};  // The highest amount that was accepted.
  };
  struct Shared {
    LoadPlan plan;
    std::unique_ptr<Lot[]> lots;
    // When counting began, by the precise clock.
    kj::TimePoint begin = kj::origin<kj::TimePoint>();
    std::atomic<std::int64_t> endedAfter{0};  // ns since `begin`.
    std::atomic<std::int64_t> bidsLeft{0};    // Still to be counted.
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
