#include "tests/simulation/scenario.h"

#include <fmt/format.h>

#include <kj/debug.h>

#include "base/logging.h"
#include "tests/history/checker.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/faults.h"

namespace gavel::simulation {
namespace {

// The time until the chain is whole and has served bidders, once all is repaired.
constexpr auto TIME_TO_HEAL = 40 * kj::SECONDS;
constexpr std::uint64_t SUCCESSES_AFTER = 10;
// The time for the bidders to end their operations and to read everything back.
constexpr auto TIME_TO_END = 30 * kj::SECONDS;
// A run has some hundred thousand events.  With more than this it does not end.
constexpr std::uint64_t MOST_EVENTS = 20'000'000;
// Bidders make none that last longer.
constexpr auto LONGEST_AUCTION = 60 * kj::SECONDS;
// The longest time from one success to the next while one link does not work and the master hears
// both its ends.  It has room for a large check, which an idle link carries each second, for the
// time without progress, for a decision that is stored, and for a bidder who tries again.
constexpr auto LONGEST_GAP = 7 * kj::SECONDS;
// A run in which fewer operations succeed until then has proved nothing, and fails.
constexpr std::uint64_t LEAST_SUCCESSES = 40;

// Log messages that show where a run has been, with their names in the summary.
constexpr std::pair<std::string_view, const char*> COUNTED[] = {
    {"dropping entries that the chain does not have", "logs cut"},
    {"dropping everything for a snapshot", "snapshots begun"},
    {"snapshot installed", "snapshots installed"},
    {"an operator's order gave up entries that this node holds: dropping them", "logs given up"},
    {"dropping what is left of a damaged log or an unfinished snapshot", "unfinished dropped"},
    {"gating: nothing is committed any more that the joiner has not on disk", "gates"},
    {"another master has changed the configuration", "swaps lost"},
    {"the disk does not answer: this node confirms nothing until it does", "disks found hanging"},
    {"taking a member out that makes all others wait", "slow members taken out"},
    {"asking all members for a promise", "rounds of promises"},
    {"refused a configuration", "configurations refused for a promise"},
    {"this process was paused or starved: all nodes get a fresh grace", "masters woken"},
};

class Scenario final {
public:
  Scenario(std::uint64_t seed, Trace& trace)
      : dice(seed),
        cluster(trace, dice, Plan::draw(dice)),
        checks(cluster),
        faults(cluster, dice.fork()),
        engine(cluster.engine) {
    engine.onTurn = [this](Process& process) { checks.turned(process); };
    faults.mayGiveUp = dice.chance(0.15);
    engine.onEnd = [this](Process& process) {
      checks.ended(process, faults.clocksOff());
      faults.ended(process);
    };
    engine.onLog = [this](std::string_view event) {
      if (event == "taking members apart that cannot talk to each other") checks.takingApart();
      for (auto& [logged, name]: COUNTED) {
        if (event == logged) ++checks.counts[name];
      }
    };
    cluster.configStore.onChange = [this](auto& before, auto& after) {
      checks.changed(before, after);
      faults.changed(after.current());
    };
    cluster.lostStore.onChange = [this](auto& before, auto& after) {
      checks.changedInLost(before, after);
    };
  }
  KJ_DISALLOW_COPY(Scenario);

  void run() {
    engine.note(cluster.plan.describe());
    cluster.start();
    auto calmAt = dice.between(4000, 14000) * kj::MILLISECONDS;
    faults.begin(calmAt);
    until(calmAt, [&]() { return false; });
    faults.healAll();
    heal();
    if (dice.chance(0.5)) withBrokenLink();
    finish();
    judge();
  }

  void fill(Report& report) const {
    report.failure = checks.failure();
    report.hash = engine.trace().hash();
    report.seconds = static_cast<double>(engine.now() / kj::MILLISECONDS) / 1000;
    report.events = engine.eventCount();
    report.operations = cluster.bidding->counts();
    report.counts = faults.counts();
    report.results = checks.counts;
    report.longestGap = static_cast<double>(longestGap / kj::MILLISECONDS) / 1000;
  }

private:
  Dice dice;
  Cluster cluster;
  Checks checks;
  Faults faults;
  Engine& engine;
  Time longestGap = 0 * kj::NANOSECONDS;  // While one link did not work.

  bool failed() const { return !checks.failure().empty(); }

  bool tooMuch() {
    if (engine.eventCount() <= MOST_EVENTS) return false;
    checks.fail(fmt::format("it took too long: {} events", MOST_EVENTS));
    return true;
  }

  // Whether `condition` became true.
  template <typename Condition>
  bool until(Time end, Condition condition) {
    bool reached = condition();
    auto stop = [&]() { return failed() || tooMuch() || (reached = condition()); };
    if (!reached) engine.run(end, stop);
    return reached;
  }

  void heal() {
    auto& counts = cluster.bidding->counts();
    auto before = counts.successes;
    // Bidders may be lost without what was given up.
    auto healed = [&]() {
      return (checks.lossy() || counts.successes >= before + SUCCESSES_AFTER) && cluster.whole();
    };
    if (!until(engine.now() + TIME_TO_HEAL, healed) && !failed()) {
      checks.fail(fmt::format(
          "no progress within {} s after everything was repaired ({} successes, {} in all): {}",
          TIME_TO_HEAL / kj::SECONDS, counts.successes - before, counts.successes,
          cluster.describe()));
    }
    if (!failed()) engine.note("healed");
  }

  // One link does not work for a while, and bids have to go on (R6).
  void withBrokenLink() {
    if (failed() || checks.lossy()) return;
    // One member fewer may be too few to take bids (R18).
    if (cluster.plan.master.minMembers >= cluster.plan.replicas) return;
    auto duration = dice.between(4000, 12000) * kj::MILLISECONDS;
    // While the master is away, links do not heal, and what waits for others gets older.
    auto away = dice.chance(0.3) ? dice.between(1000, 8000) * kj::MILLISECONDS : 0 * kj::SECONDS;
    auto broken = faults.breakLink(away + duration);
    if (broken.empty()) return;
    engine.note("a link does not work: " + broken);
    if (away > 0 * kj::SECONDS) {
      faults.pauseMasters(away);
      until(engine.now() + away, []() { return false; });
    }
    auto end = engine.now() + duration;
    auto& counts = cluster.bidding->counts();
    while (engine.now() < end && !failed()) {
      auto before = counts.successes;
      auto began = engine.now();
      auto next = [&]() { return counts.successes > before; };
      bool reached = until(began + LONGEST_GAP, next);
      if (!reached && !failed()) {
        checks.fail(fmt::format("no progress within {} s while a link does not work ({}): {}",
                                LONGEST_GAP / kj::SECONDS, broken, cluster.describe()));
      }
      longestGap = kj::max(longestGap, engine.now() - began);
    }
    faults.healAll();
    heal();
  }

  void finish() {
    if (failed()) return;
    auto& bidding = *cluster.bidding;
    auto in = [&](Bidding::Phase phase) {
      return [&bidding, phase]() {
        return bidding.phase() == phase || bidding.phase() == Bidding::Phase::failed;
      };
    };
    bidding.stop();
    if (checks.lossy()) {
      until(engine.now() + TIME_TO_END, in(Bidding::Phase::stopped));
      return;
    }
    bool stopped = until(engine.now() + TIME_TO_END, in(Bidding::Phase::stopped));
    if (stopped && bidding.phase() == Bidding::Phase::stopped) bidding.readFinals();
    if (!until(engine.now() + TIME_TO_END, in(Bidding::Phase::done)) ||
        bidding.phase() == Bidding::Phase::failed) {
      checks.fail("the bidders did not come to their end: " + bidding.problem() + "; " +
                  cluster.describe());
    }
  }

  void judge() {
    if (failed()) return;
    if (until(engine.now() + TIME_TO_END, [&]() { return checks.allApplied(); })) {
      checks.checkEqual();
    } else {
      checks.fail("in the end, members have not applied the same: " + cluster.describe());
    }
    if (failed()) return;
    // However wrong clocks were, auctions last as long as intended.
    auto longest = checks.longestAuction();
    constexpr auto TIME_TO_CLOSE = 2 * kj::SECONDS;
    if (longest > LONGEST_AUCTION ||
        !until(engine.now() + longest + TIME_TO_CLOSE, [&]() { return !checks.anyOpen(); })) {
      checks.fail(fmt::format("in the end, auctions are open that should have ended: {} ms left",
                              longest / kj::MILLISECONDS));
    }
    if (failed()) return;
    if (checks.lossy()) return;  // What was acknowledged and then given up is nowhere.
    auto verdict = history::check(cluster.bidding->history());
    if (!verdict.linearizable()) {
      checks.fail("the history is not linearizable:\n" + verdict.text());
    }
  }
};

}  // namespace

Report runSeed(std::uint64_t seed, Trace& trace) {
  KjLogForwarder libraryLog;
  Report report;
  report.seed = seed;
  Scenario scenario(seed, trace);
  scenario.run();
  scenario.fill(report);
  return report;
}

}  // namespace gavel::simulation
