#include "client/bench/load.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <kj/async-io.h>
#include <kj/debug.h>

#include "base/process.h"
#include "base/random.h"
#include "client/bench/precise-timer.h"
#include "client/bench/preparation.h"
#include "client/cli/exit-code.h"
#include "client/client.h"

namespace gavel::client::cli {
namespace {

constexpr auto LOOK_UP = 100 * kj::MILLISECONDS;
constexpr std::size_t MOST_PROBLEMS = 10;

// Reads the clock itself, since that of the event loop stands still within a turn.
kj::TimePoint now() {
  return kj::systemPreciseMonotonicClock().now();
}

void raise(std::atomic<std::int64_t>& value, std::int64_t to) {
  auto before = value.load(std::memory_order_relaxed);
  while (before < to && !value.compare_exchange_weak(before, to)) {
  }
}

template <typename T>
void append(std::vector<T>& to, std::vector<T>&& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

// One client of a worker.
class Bidder final: private kj::TaskSet::ErrorHandler {
public:
  Bidder(kj::AsyncIoContext& io, BenchLoad::Shared& shared, Random& random, unsigned number,
         Seen& seen)
      : shared(shared),
        plan(shared.plan),
        number(number),
        seen(seen),
        timer(io.unixEventPort),
        client(io.provider->getNetwork(), io.provider->getTimer(), random, seeds(plan),
               limits(plan)),
        preparation(client, plan, number, auctions, shared.prepared, shared.stop),
        tasks(*this) {
    // The client bids on its own auctions, or on one that it shares with others.
    if (plan.auctions >= plan.clients) {
      for (auto i = number; i < plan.auctions; i += plan.clients) auctions.push_back(i);
    } else {
      auctions.push_back(number % plan.auctions);
    }
    inFlight = plan.inFlight / plan.clients + (number < plan.inFlight % plan.clients ? 1 : 0);
  }

  kj::Promise<void> prepare() { return preparation.run(); }

  kj::Promise<void> run() {
    kj::Vector<kj::Promise<void>> all;
    if (plan.callsPerSecond > 0) {
      all.add(pace(0));
    } else {
      for (unsigned i = 0; i < inFlight; ++i) all.add(callAgain());
    }
    return kj::joinPromises(all.releaseAsArray()).then([this]() { return tasks.onEmpty(); });
  }

private:
  BenchLoad::Shared& shared;
  const LoadPlan& plan;
  unsigned number;
  Seen& seen;
  PreciseTimer timer;
  Client client;
  std::vector<std::uint32_t> auctions;
  BenchPreparation preparation;
  unsigned inFlight = 0;
  unsigned underWay = 0;
  std::uint64_t calls = 0;
  std::uint64_t turn = 0;
  kj::Own<kj::PromiseFulfiller<void>> waitsForAnswer;
  kj::TaskSet tasks;

  static kj::Array<kj::String> seeds(const LoadPlan& plan) {
    return KJ_MAP(server, plan.servers) {
      return kj::str(server.c_str());
    };
  }

  static Client::Limits limits(const LoadPlan& plan) {
    Client::Limits limits;
    limits.timeout = plan.timeout;
    return limits;
  }

  Identity identity(const std::string& name) const {
    return {kj::StringPtr(name.c_str(), name.size()), plan.credential};
  }

  bool over(kj::TimePoint at) const {
    if (shared.stop.load(std::memory_order_relaxed)) return true;
    return plan.bids == 0 && at >= end();
  }
  kj::TimePoint end() const { return shared.begin + plan.duration; }

  // The closed loop.
  kj::Promise<void> callAgain() {
    auto at = now();
    if (over(at)) return kj::READY_NOW;
    return call(at).then([this]() { return callAgain(); });
  }

  // The open loop: makes the call at that place in the schedule, and those after it.
  kj::Promise<void> pace(std::uint64_t place) {
    auto nth = double(place * plan.clients + number);
    auto due = shared.begin - plan.warmUp +
               static_cast<std::int64_t>(nth / plan.callsPerSecond * 1e9) * kj::NANOSECONDS;
    if (over(due)) return kj::READY_NOW;
    if (due > now() + LOOK_UP) {  // The run may be stopped meanwhile.
      return timer.at(now() + LOOK_UP).then([this, place]() { return pace(place); });
    }
    return timer.at(due).then([this]() { return room(); }).then([this, place, due]() {
      if (over(due)) return kj::Promise<void>(kj::READY_NOW);
      if (plan.bids == 0 && now() >= end() + plan.timeout) {
        auto left = double((end() - due) / kj::NANOSECONDS) * 1e-9;
        seen.notMade += 1 + static_cast<std::uint64_t>(left * plan.callsPerSecond / plan.clients);
        return kj::Promise<void>(kj::READY_NOW);
      }
      tasks.add(call(due));
      return pace(place + 1);
    });
  }

  // Resolves when one more call may be under way.
  kj::Promise<void> room() {
    if (underWay < inFlight) return kj::READY_NOW;
    auto paf = kj::newPromiseAndFulfiller<void>();
    waitsForAnswer = kj::mv(paf.fulfiller);
    return kj::mv(paf.promise);
  }

  // Makes the next call, which was due at `due`.
  kj::Promise<void> call(kj::TimePoint due) {
    bool bids = calls++ % (plan.bidShare + plan.resultShare) < plan.bidShare;
    bool counts = due >= shared.begin;
    if (counts && bids && plan.bids > 0) {
      auto left = shared.bidsLeft.fetch_sub(plan.batch);
      if (left <= plan.batch) shared.stop = true;
      if (left <= 0) return kj::READY_NOW;
    }
    if (counts && plan.callsPerSecond > 0) noteDelay(now() - due);
    ++underWay;
    return (bids ? bid(due, counts) : ask(due, counts)).then([this]() {
      --underWay;
      if (waitsForAnswer.get() != nullptr) waitsForAnswer->fulfill();
    });
  }

  // A busy event loop takes up to a millisecond to come round.
  void noteDelay(kj::Duration delay) {
    if (delay < 1 * kj::MILLISECONDS) return;
    ++seen.late;
    seen.mostLate = std::max(seen.mostLate, delay / kj::NANOSECONDS);
  }

  void count(std::vector<Sample>& samples, kj::TimePoint due, unsigned weight) {
    auto at = now();
    auto since = (at - shared.begin) / kj::NANOSECONDS;
    samples.push_back({since, (at - due) / kj::NANOSECONDS, weight});
    raise(shared.endedAfter, since);
  }

  std::uint32_t nextAuction() { return auctions[turn % auctions.size()]; }

  struct Offer {
    std::string auction;
    std::string bidder;
    Told told;
  };

  Offer nextOffer() {
    auto auction = nextAuction();
    auto bidder = static_cast<std::uint32_t>((turn++ * plan.clients + number) % plan.bidders);
    auto amount = shared.lots[auction].offered.fetch_add(1) + 1;
    return {plan.auctionName(auction),
            bidderName(plan.bidderPrefix(), bidder),
            {auction, bidder, amount, 0}};
  }

  BidOrder order(const Offer& offer) const {
    return {kj::StringPtr(offer.auction.c_str(), offer.auction.size()), identity(offer.bidder),
            offer.told.amount};
  }

  kj::Promise<void> bid(kj::TimePoint due, bool counts) {
    if (plan.batch == 1) {
      auto offer = nextOffer();
      return client.bid(order(offer))
          .then([this, due, counts, told = offer.told](WriteResult result) {
            take(result.outcome(), told, counts);
            if (counts && result.outcome().isSuccess()) count(seen.bids, due, 1);
          });
    }
    std::vector<Offer> offers;
    for (unsigned i = 0; i < plan.batch; ++i) offers.push_back(nextOffer());
    auto orders = KJ_MAP(offer, offers) {
      return order(offer);
    };
    auto told = KJ_MAP(offer, offers) {
      return offer.told;
    };
    return client.bids(orders).then(
        [this, due, counts, told = kj::mv(told)](kj::Array<WriteResult> results) {
          unsigned successes = 0;
          for (auto i: kj::indices(results)) {
            auto outcome = results[i].outcome();
            take(outcome, told[i], counts);
            successes += outcome.isSuccess() ? 1 : 0;
          }
          if (counts && successes > 0) count(seen.bids, due, successes);
        });
  }

  void take(schema::Outcome::Reader outcome, Told told, bool counts) {
    auto came = cameOf(outcome);
    if (counts) ++seen.came[static_cast<unsigned>(came)];
    switch (came) {
      case Came::success:
        told.version = outcome.getSuccess().getVersion();
        seen.told.push_back(told);
        raise(shared.lots[told.auction].accepted, told.amount);
        shared.accepted.fetch_add(1, std::memory_order_relaxed);
        break;
      case Came::unknown:
        seen.told.push_back(told);
        break;
      case Came::refused:
        if (seen.refusal.empty() && outcome.isException()) {
          seen.refusal = outcome.getException().getDetail().cStr();
        }
        break;
      case Came::tooLow:
      case Came::unavailable:
        break;
    }
  }

  kj::Promise<void> ask(kj::TimePoint due, bool counts) {
    auto auction = auctions[turn++ % auctions.size()];
    auto least = shared.lots[auction].accepted.load();
    return client.result(plan.auctionName(auction).c_str())
        .then([this, due, counts, auction, least](Answer answer) {
          if (answer.get().isFailure()) {
            if (counts) ++seen.failedResults;
            return;
          }
          if (counts) count(seen.results, due, 1);
          auto state = answer.get().getAuction().getState();
          if (!state.isOpen() || seen.problems.size() >= MOST_PROBLEMS) return;
          auto highest = state.getOpen().getHighest();
          if (highest >= least) return;
          seen.problems.push_back("auction \"" + plan.auctionName(auction) +
                                  "\": a result said that the highest bid was " +
                                  std::to_string(highest) + ", asked for after one of " +
                                  std::to_string(least) + " had been accepted");
        });
  }

  void taskFailed(kj::Exception&& exception) override {
    seen.problems.push_back(std::string("a call failed: ") + exception.getDescription().cStr());
  }
};

}  // namespace

Came cameOf(schema::Outcome::Reader outcome) {
  if (outcome.isSuccess()) return Came::success;
  if (outcome.isFail()) return Came::tooLow;
  switch (exitCodeOf(outcome)) {
    case UNAVAILABLE:
      return Came::unavailable;
    case OUTCOME_UNKNOWN:
      return Came::unknown;
    default:
      return Came::refused;
  }
}

// Runs within its own thread.
class BenchLoad::Worker {
public:
  Worker(Shared& shared, unsigned number): io(setUpEventLoop()) {
    for (auto i = number; i < shared.plan.clients; i += shared.plan.threads) {
      bidders.add(kj::heap<Bidder>(io, shared, random, i, seen));
    }
  }

  Seen run(kj::CrossThreadPromiseFulfiller<Go>& ready) {
    all([](Bidder& bidder) { return bidder.prepare(); });
    auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
    ready.fulfill(kj::mv(paf.fulfiller));
    paf.promise.wait(io.waitScope);
    all([](Bidder& bidder) { return bidder.run(); });
    return std::move(seen);
  }

private:
  kj::AsyncIoContext io;
  SystemRandom random;
  Seen seen;
  kj::Vector<kj::Own<Bidder>> bidders;

  template <typename What>
  void all(What what) {
    auto promises = KJ_MAP(bidder, bidders) {
      return what(*bidder);
    };
    kj::joinPromises(kj::mv(promises)).wait(io.waitScope);
  }
};

void Seen::add(Seen&& other) {
  append(bids, std::move(other.bids));
  append(results, std::move(other.results));
  append(told, std::move(other.told));
  append(problems, std::move(other.problems));
  for (unsigned i = 0; i < CAME_KINDS; ++i) came[i] += other.came[i];
  failedResults += other.failedResults;
  if (refusal.empty()) refusal = other.refusal;
  late += other.late;
  notMade += other.notMade;
  mostLate = std::max(mostLate, other.mostLate);
}

BenchLoad::BenchLoad(LoadPlan plan): shared(std::make_unique<Shared>()) {
  shared->plan = kj::mv(plan);
  shared->lots = std::make_unique<Lot[]>(shared->plan.auctions);
  shared->bidsLeft = static_cast<std::int64_t>(shared->plan.bids);
  for (unsigned i = 0; i < shared->plan.threads; ++i) {
    auto ready = kj::newPromiseAndCrossThreadFulfiller<Go>();
    auto done = kj::newPromiseAndCrossThreadFulfiller<Seen>();
    readiness.add(kj::mv(ready.promise));
    results.add(kj::mv(done.promise));
    threads.add(kj::heap<kj::Thread>([&shared = *shared, i, ready = kj::mv(ready.fulfiller),
                                      done = kj::mv(done.fulfiller)]() mutable {
      KJ_IF_MAYBE (exception, kj::runCatchingExceptions(
                                  [&]() { done->fulfill(Worker(shared, i).run(*ready)); })) {
        ready->reject(kj::cp(*exception));  // Does nothing if it was fulfilled.
        done->reject(kj::mv(*exception));
      }
    }));
  }
}

BenchLoad::~BenchLoad() noexcept(false) {
  shared->stop = true;
  waiting.clear();  // Rejects the promises of those that wait for run().
}

kj::Promise<void> BenchLoad::ready() {
  return kj::joinPromises(readiness.releaseAsArray()).then([this](kj::Array<Go> all) {
    for (auto& go: all) waiting.add(kj::mv(go));
  });
}

kj::Promise<Seen> BenchLoad::run() {
  shared->begin = now() + shared->plan.warmUp;
  for (auto& go: waiting) go->fulfill();
  waiting.clear();
  return kj::joinPromises(results.releaseAsArray()).then([](kj::Array<Seen> all) {
    Seen total;
    for (auto& seen: all) total.add(std::move(seen));
    return total;
  });
}

kj::Duration BenchLoad::counted() const {
  // Answers after the end of the time do not make it longer.
  if (plan().bids == 0 && !shared->stop) return plan().duration;
  return shared->endedAfter.load() * kj::NANOSECONDS;
}

}  // namespace gavel::client::cli
