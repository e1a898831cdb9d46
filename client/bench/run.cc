#include "client/bench/run.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <signal.h>

#include <kj/debug.h>

#include "base/process.h"
#include "client/bench/report.h"
#include "client/bench/verify.h"
#include "client/cli/progress-line.h"
#include "client/cli/survey.h"

namespace gavel::client::cli {
namespace {

constexpr auto FORM_LIMIT = 30 * kj::SECONDS;
constexpr auto PROGRESS = 200 * kj::MILLISECONDS;
constexpr auto LOOK_AGAIN = 30 * kj::MILLISECONDS;

// Processes that have ended do not count.
kj::Duration cpuTimeOf(const std::vector<int>& pids) {
  auto total = 0 * kj::SECONDS;
  for (int pid: pids) total += gavel::cpuTimeOf(pid).orDefault(0 * kj::SECONDS);
  return total;
}

class Bench final: private kj::TaskSet::ErrorHandler {
public:
  Bench(Context& context, BenchPlan plan)
      : context(context), plan(kj::mv(plan)), progress(context.print), tasks(*this) {}

  kj::Promise<int> run() {
    if (progress.wanted()) tasks.add(showProgress());
    tasks.add(context.stopRequested().then([this]() {
      interrupted = true;
      KJ_IF_MAYBE (each, load) {
        (*each)->stop();
      }
    }));
    return kj::evalNow([this]() { return orStop(startChain()); })
        .then([this]() { return measure(); })
        .then([this](Seen seen) { return verify(kj::mv(seen)); })
        .catch_([this](kj::Exception&& exception) -> int {
          progress.clear();
          context.print.error(reasonOf(exception).cStr());
          bool unavailable = exception.getType() == kj::Exception::Type::OVERLOADED;
          return interrupted ? INTERRUPTED : unavailable ? UNAVAILABLE : INTERNAL_ERROR;
        })
        .then([this](int code) {
          timed = nullptr;
          load = nullptr;
          return stopChain(code).then([code]() { return code; });
        });
  }

private:
  Context& context;
  BenchPlan plan;
  kj::Maybe<kj::Own<LocalChain>> chain;
  kj::Maybe<kj::Own<BenchLoad>> load;
  std::vector<Kill*> toKill;  // The kills of `plan`, in the order of their times.
  bool interrupted = false;
  bool running = false;
  std::uint64_t shownAccepted = 0;
  kj::Maybe<kj::Duration> cpuBefore;  // CPU time of plan.pids when counting began.
  ProgressLine progress;
  // Tasks with a time of their own; dropped when counting is over.
  kj::Maybe<kj::Own<kj::TaskSet>> timed;
  kj::TaskSet tasks;

  // Fails as soon as this process is asked to stop.
  kj::Promise<void> orStop(kj::Promise<void> promise) {
    return promise.exclusiveJoin(context.stopRequested().then([]() {
      kj::throwFatalException(KJ_EXCEPTION(FAILED, "interrupted before anything was measured"));
    }));
  }

  kj::Promise<void> startChain() {
    if (!plan.chain) {
      plan.load.servers = context.settings.servers;
      return kj::READY_NOW;
    }
    auto& own = *chain.emplace(kj::heap<LocalChain>(context, *plan.chain));
    plan.load.servers = own.addresses();
    return own.start()
        .then([this, &own]() {
          return own.waitForMembers(plan.chain->replicas, context.timer().now() + FORM_LIMIT);
        })
        .then([this, &own](unsigned serving) {
          if (serving >= plan.chain->replicas) return;
          kj::throwFatalException(
              KJ_EXCEPTION(OVERLOADED, "the chain has not formed", own.notice().c_str()));
        });
  }

  kj::Promise<Seen> measure() {
    auto& own = *load.emplace(kj::heap<BenchLoad>(kj::mv(plan.load)));
    return own.ready()
        .then([this]() { return orStop(context.timer().afterDelay(plan.settle)); })
        .then([this, &own]() {
          running = true;
          auto measured = own.run();
          auto& set =
              *timed.emplace(kj::heap<kj::TaskSet>(static_cast<kj::TaskSet::ErrorHandler&>(*this)));
          for (auto& each: plan.kills) toKill.push_back(&each);
          std::stable_sort(toKill.begin(), toKill.end(),
                           [](auto* left, auto* right) { return left->at < right->at; });
          set.add(killInTurn(0, own.countingSince()));
          auto left = own.countingSince() - kj::systemPreciseMonotonicClock().now();
          set.add(context.timer().afterDelay(kj::max(left, 0 * kj::SECONDS)).then([this]() {
            cpuBefore = cpuTimeOf(plan.pids);
          }));
          return measured;
        });
  }

  // One after another, each when it is due and the chain goes on without those before it.  On a busy
  // machine the chain would else lose more at a time than it survives.
  kj::Promise<void> killInTurn(std::size_t next, kj::TimePoint counting) {
    if (next == toKill.size()) return kj::READY_NOW;
    auto& order = *toKill[next];
    auto passed = kj::systemPreciseMonotonicClock().now() - counting;
    return context.timer()
        .afterDelay(kj::max(order.at - passed, 0 * kj::SECONDS))
        .then([this]() {
          auto& own = *KJ_ASSERT_NONNULL(chain);
          return survey(own.client().locator(), context.timer());
        })
        .then([this, &order, next, counting](kj::Own<Survey> survey) -> kj::Promise<void> {
          if (namesAVictim(*survey)) {
            return context.timer().afterDelay(LOOK_AGAIN).then([this, next, counting]() {
              return killInTurn(next, counting);
            });
          }
          auto& own = *KJ_ASSERT_NONNULL(chain);
          order.process = processFor(order.role, *survey);
          if (!order.process.empty()) {
            auto& victim = order.process == "master" ? own.child(0) : own.node(order.process);
            order.killedAt = (kj::systemPreciseMonotonicClock().now() - counting) / kj::NANOSECONDS;
            victim.signal(SIGKILL);
          }
          return killInTurn(next + 1, counting);
        });
  }

  // Whether a node that was killed is still a member.
  bool namesAVictim(const Survey& survey) const {
    bool found = false;
    KJ_IF_MAYBE (configuration, survey.configuration) {
      for (auto member: configuration->getMembers()) {
        for (auto& kill: plan.kills) found |= kill.process == member.getName().cStr();
      }
    }
    return found;
  }

  // The process with that role; empty if there is none.
  static std::string processFor(const std::string& role, const Survey& survey) {
    if (role == "master") return "master";
    std::vector<std::string> serving;
    KJ_IF_MAYBE (configuration, survey.configuration) {
      for (auto member: configuration->getMembers()) {
        if (member.getState() == schema::Member::State::SERVING) {
          serving.push_back(member.getName().cStr());
        }
      }
    }
    if (serving.empty() || (role == "middle" && serving.size() < 3)) return "";
    if (role == "head") return serving.front();
    return role == "tail" ? serving.back() : serving[serving.size() / 2];
  }

  kj::Promise<int> verify(Seen seen) {
    running = false;
    timed = nullptr;
    progress.clear();
    auto& own = *KJ_ASSERT_NONNULL(load);
    auto result = kj::heap<BenchResult>(
        BenchResult{own.plan(), kj::mv(seen), own.counted(), plan.kills, {}, {}});
    sortForCheck(result->seen.told);
    KJ_IF_MAYBE (before, cpuBefore) {
      if (!plan.pids.empty()) result->cpuTime = (cpuTimeOf(plan.pids) - *before) / kj::NANOSECONDS;
    }
    return check(result->seen.told)
        .then([this, result = kj::mv(result)](std::optional<Verdict> verdict) mutable -> int {
          result->verdict = kj::mv(verdict);
          printResult(context, *result);
          writeTimeline(*result);
          return codeOf(*result);
        });
  }

  // Resolves to nothing if no check was asked for, or if this process is asked to stop before it is
  // done.
  kj::Promise<std::optional<Verdict>> check(const std::vector<Told>& told) {
    if (!plan.check || interrupted) return std::optional<Verdict>();
    auto& measured = KJ_ASSERT_NONNULL(load)->plan();
    auto client = context.clientFor(measured.servers);
    auto verified = verifyHistories(*client, measured, told).then([](Verdict verdict) {
      return std::optional<Verdict>(kj::mv(verdict));
    });
    return verified.attach(kj::mv(client)).exclusiveJoin(context.stopRequested().then([]() {
      return std::optional<Verdict>();
    }));
  }

  int codeOf(const BenchResult& result) {
    bool kept = !result.verdict || result.verdict->problems.empty();
    if (!kept || !result.seen.problems.empty()) return INTERNAL_ERROR;
    if (interrupted) return INTERRUPTED;
    if (result.plan.bidShare > 0 && result.seen.bids.empty()) {
      context.print.error("no bid was accepted");
      return UNAVAILABLE;
    }
    return DONE;
  }

  // printResult() has sorted the samples by time.
  void writeTimeline(const BenchResult& result) {
    if (plan.timeline.empty()) return;
    std::ofstream file(plan.timeline);
    file << timeline(result.seen.bids, result.counted / kj::NANOSECONDS);
    file.close();
    if (!file) {
      kj::throwFatalException(KJ_EXCEPTION(FAILED, "cannot write", plan.timeline.c_str()));
    }
  }

  // Stops the chain.  Its directory is removed, unless somebody wants to keep it or needs it to
  // find out what went wrong.
  kj::Promise<void> stopChain(int code) {
    KJ_IF_MAYBE (own, chain) {
      auto directory = (*own)->directory();
      return (*own)->stop().then([this, directory, code]() {
        if (!plan.chain->directory.empty()) return;
        if (code == INTERNAL_ERROR) {
          context.print.note("data and logs of the chain are in " + directory);
          return;
        }
        std::error_code ignored;
        std::filesystem::remove_all(directory, ignored);
      });
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> showProgress() {
    return context.timer().afterDelay(PROGRESS).then([this]() {
      KJ_IF_MAYBE (each, load) {
        auto& own = **each;
        if (running) {
          auto at = double((kj::systemPreciseMonotonicClock().now() - own.countingSince()) /
                           kj::MILLISECONDS) /
                    1000;
          auto accepted = own.accepted();
          auto perSecond =
              double(accepted - shownAccepted) / (double(PROGRESS / kj::MILLISECONDS) / 1000);
          shownAccepted = accepted;
          char text[128];
          snprintf(text, sizeof(text),
                   at < 0 ? "warming up: %.0f bids/s" : "%.0f bids/s after %.1f s", perSecond, at);
          progress.show(text);
        } else if (own.prepared().auctions < own.plan().auctions) {
          progress.show("auctions created: " + std::to_string(own.prepared().auctions) + " of " +
                        std::to_string(own.plan().auctions));
        } else if (own.prepared().bidders < own.plan().bidders) {
          progress.show("bidders registered: " + std::to_string(own.prepared().bidders) + " of " +
                        std::to_string(own.plan().bidders));
        } else if (own.accepted() == 0) {
          progress.show("settling");
        } else {
          progress.show("reading the histories");
        }
      }
      return showProgress();
    });
  }

  void taskFailed(kj::Exception&& exception) override {
    context.print.error(reasonOf(exception).cStr());
  }
};

}  // namespace

kj::Promise<int> runBench(Context& context, BenchPlan plan) {
  auto bench = kj::heap<Bench>(context, kj::mv(plan));
  auto promise = bench->run();
  return promise.attach(kj::mv(bench));
}

}  // namespace gavel::client::cli
