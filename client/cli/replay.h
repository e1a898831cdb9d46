#pragma once

#include <deque>
#include <string>
#include <vector>

#include "client/cli/context.h"
#include "client/cli/progress-line.h"
#include "client/cli/replay-plan.h"

namespace gavel::client::cli {

// Bounds how many calls are under way; first come, first served.
class Slots {
public:
  explicit Slots(unsigned count): free(count) {}

  // Resolves when a slot is free, and takes it.
  kj::Promise<void> take();
  void release();

private:
  unsigned free;
  std::deque<kj::Own<kj::PromiseFulfiller<void>>> waiting;
};

struct ReplayOptions {
  double speed = 0;  // 0: as fast as the chain takes it.
  unsigned inFlight = 64;
  std::string suffix;
  bool verify = false;
};

// Plays recorded auctions: creates them, bids as the recorded bidders did, in strict order within
// each auction, and checks the histories against the answers.
class Replay final: private kj::TaskSet::ErrorHandler {
public:
  Replay(Context& context, ReplayPlan plan, ReplayOptions options);

  // Resolves to the exit code.
  kj::Promise<int> run();

private:
  struct Acknowledged {
    std::uint64_t index;
    std::uint64_t version;
    const ReplayPlan::Bid* bid;
  };
  struct Recorded {
    std::uint64_t index;
    std::uint64_t version;
    std::int64_t amount;
    std::string who;
  };
  // The progress of the auction at the same place in the plan.
  struct Game {
    std::int64_t highest = 0;
    std::uint64_t unknown = 0;
    std::vector<Acknowledged> acknowledged;
    std::vector<Recorded> history;
  };
  struct Totals {
    std::uint64_t sent = 0;
    std::uint64_t accepted = 0;
    std::uint64_t tooLow = 0;
    std::uint64_t exceptions = 0;
    std::uint64_t unavailable = 0;
    std::uint64_t unknown = 0;
    std::uint64_t discrepancies = 0;
  };

  Context& context;
  Client& client;
  ReplayPlan plan;
  ReplayOptions options;
  Slots slots;
  std::vector<Game> games;
  Totals totals;
  int creationFailed = DONE;
  kj::TimePoint started = kj::origin<kj::TimePoint>();
  kj::Duration elapsed = 0 * kj::SECONDS;
  ProgressLine progress;
  kj::TaskSet tasks;

  std::string nameOf(std::size_t place) const;
  kj::Promise<void> createAll();
  kj::Promise<void> create(std::size_t place);
  kj::Promise<void> playAll();
  kj::Promise<void> play(std::size_t place, std::size_t number);
  void count(std::size_t place, const ReplayPlan::Bid& bid, schema::Outcome::Reader outcome);
  kj::Promise<void> verifyAll();
  kj::Promise<void> readHistory(std::size_t place, std::uint64_t from);
  void verify(std::size_t place);
  void complain(std::size_t place, const std::string& what);
  int summarize();
  kj::Promise<void> showProgress();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::client::cli
