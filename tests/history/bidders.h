#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <kj/async.h>
#include <kj/timer.h>

#include "base/random.h"
#include "client/client.h"
#include "tests/history/history.h"
#include "tests/history/recording-client.h"

namespace gavel::history {

// A workload that records itself.  Bidders create auctions, bid too much and too little, close and
// cancel, query, and ask again when an outcome is unknown.
//
// There are a few hot auctions, on which all bid and which are replaced when they are over, and
// cold ones that come and go.  Everything is drawn from the seats' sources of randomness.  So the
// same seed gives the same run where everything else is the same, on virtual time as on real time.
class Bidders final: private kj::TaskSet::ErrorHandler {
public:
  // The tools of one bidder.  All must outlive the Bidders; several bidders may share any of them.
  struct Seat {
    client::Client& client;
    kj::Timer& timer;
    Random& random;
    RecordingClient::Now now;
    // It thinks this many times as long as others.
    unsigned slowness = 1;
  };

  struct Options {
    std::string prefix;  // Begins the names of auctions and bidders.
    std::size_t hot = 2;
    std::size_t cold = 6;  // Open at a time, about.
    // The longest time between two operations of a bidder.
    kj::Duration thinkAtMost = 20 * kj::MILLISECONDS;
    // Auctions are open for a time between a quarter of this and all of it.  One in four has a soft
    // close.  Hot ones last four times as long.
    kj::Duration duration = 2 * kj::SECONDS;
    // The probability of asking again for an unknown outcome, each time.
    double askAgain = 0.7;
  };

  struct Counts {
    std::uint64_t operations = 0;
    std::uint64_t successes = 0;
    std::uint64_t fails = 0;       // Refused, for any reason.
    std::uint64_t reads = 0;       // Answered.
    std::uint64_t unknown = 0;     // Including those that were learnt later.
    std::uint64_t notApplied = 0;  // Including reads that nobody answered.
  };

  // One bidder per seat.
  Bidders(History& history, std::vector<Seat> seats, Options options);
  ~Bidders() noexcept(false);
  KJ_DISALLOW_COPY(Bidders);

  // Begins, or goes on after a stop().
  void start();
  // Makes no new operations.  Resolves when those under way have ended.  Rejects if a bidder
  // failed, which does not depend on the chain's answers.
  kj::Promise<void> stop();
  // Reads the final history of every auction that anybody named, through the first seat's client.
  // Only after stop().
  kj::Promise<void> readFinals();

  const Counts& counts() const { return counts_; }

private:
  struct Lot;
  struct Bidder;

  History& history;
  Options options;
  std::vector<std::unique_ptr<Bidder>> bidders;
  std::vector<std::unique_ptr<Lot>> lots;  // All that were ever named, in that order.
  std::vector<Lot*> hot;
  std::vector<Lot*> cold;
  std::unique_ptr<Lot> nowhere;  // Never created.
  Counts counts_;
  bool running = false;
  kj::Maybe<kj::Exception> failure;
  kj::TaskSet tasks;

  kj::Promise<void> loop(Bidder& bidder);
  kj::Promise<void> think(Bidder& bidder);
  kj::Promise<void> act(Bidder& bidder);
  Lot& newLot(Bidder& bidder, kj::Duration longest);
  Terms drawTerms(Bidder& bidder, kj::Duration longest);
  Lot& choose(Bidder& bidder);
  std::int64_t drawAmount(Bidder& bidder, const Lot& lot);
  kj::Promise<void> create(Bidder& bidder, Lot& lot);
  kj::Promise<void> endEarly(Bidder& bidder, Lot& lot, bool close);
  kj::Promise<void> actNowhere(Bidder& bidder);
  bool impostorMay(const Bidder& bidder) const;
  kj::Promise<void> ended(Bidder& bidder, Lot& lot, RecordingClient& asker,
                          kj::Promise<History::Id> call);
  kj::Promise<void> settle(Bidder& bidder, Lot& lot, RecordingClient& asker, History::Id id);
  void count(const Operation& operation);
  void learn(const Operation& operation, Lot& lot);
  kj::Promise<void> readFinal(std::size_t i);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::history
