#include "client/cli/bench-run.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <kj/debug.h>

#include "client/cli/bench-report.h"
#include "client/cli/bench-verify.h"
#include "client/cli/survey.h"

namespace gavel::client::cli {
namespace {

constexpr auto FORM_LIMIT = 30 * kj::SECONDS;
constexpr auto PROGRESS = 200 * kj::MILLISECONDS;

// CPU time that processes of this machine have used so far; those that have ended do not count.
std::int64_t cpuTimeOf(const std::vector<int>& pids) {
  std::int64_t total = 0;
  for (int pid: pids) {
    clockid_t clock = 0;
    struct timespec time {};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) continue;
    total += time.tv_sec * 1'000'000'000 + time.tv_nsec;
  }
  return total;
}

class Bench final: private kj::TaskSet::ErrorHandler {
public:
  Bench(Context& context, BenchPlan plan): context(context), plan(kj::mv(plan)), tasks(*this) {
    terminal = isatty(STDERR_FILENO) != 0 && !context.print.quiet;
  }

  kj::Promise<int> run() {
    if (terminal) tasks.add(showProgress());
    tasks.add(context.stopRequested().then([this]() {
      interrupted = true;
      KJ_IF_MAYBE (each, load) {
        (*each)->stop();
      }
    }));
    return kj::evalNow([this]() { return startChain(); })
        .then([this]() { return measure(); })
        .then([this](Seen seen) { return verify(kj::mv(seen)); })
        .catch_([this](kj::Exception&& exception) -> int {
          clearProgress();
          context.print.error(reasonOf(exception).cStr());
          bool unavailable = exception.getType() == kj::Exception::Type::OVERLOADED;
          return interrupted ? INTERRUPTED : unavailable ? UNAVAILABLE : INTERNAL_ERROR;
        })
        .then([this](int code) {
          load = nullptr;
          return stopChain(code).then([code]() { return code; });
        });
  }

private:
  Context& context;
  BenchPlan plan;
  kj::Maybe<kj::Own<LocalChain>> chain;
  kj::Maybe<kj::Own<BenchLoad>> load;
  bool interrupted = false;
  bool terminal = false;
  bool progressShown = false;
  bool running = false;
  std::uint64_t shownAccepted = 0;
  std::int64_t cpuTime = 0;  // Of plan.pids while counting.
  kj::TaskSet tasks;

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
        .then([this]() { return context.timer().afterDelay(plan.settle); })
        .then([this, &own]() {
          if (interrupted) kj::throwFatalException(KJ_EXCEPTION(FAILED, "interrupted"));
          running = true;
          auto measured = own.run();
          for (auto& each: plan.kills) tasks.add(killLater(each, own.countingSince()));
          auto left = own.countingSince() - kj::systemPreciseMonotonicClock().now();
          tasks.add(context.timer().afterDelay(kj::max(left, 0 * kj::SECONDS)).then([this]() {
            cpuTime -= cpuTimeOf(plan.pids);
          }));
          return measured;
        });
  }

  kj::Promise<void> killLater(Kill& order, kj::TimePoint counting) {
    auto passed = kj::systemPreciseMonotonicClock().now() - counting;
    return context.timer()
        .afterDelay(kj::max(order.at - passed, 0 * kj::SECONDS))
        .then([this]() {
          auto& own = *KJ_ASSERT_NONNULL(chain);
          return survey(own.client().locator(), context.timer());
        })
        .then([this, &order, counting](kj::Own<Survey> survey) {
          auto& own = *KJ_ASSERT_NONNULL(chain);
          order.process = processFor(order.role, *survey);
          if (order.process.empty()) return;
          auto& victim = order.process == "master" ? own.child(0) : own.node(order.process);
          order.killedAt = (kj::systemPreciseMonotonicClock().now() - counting) / kj::NANOSECONDS;
          victim.signal(SIGKILL);
        });
  }

  // Empty if nobody plays that role.
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
    cpuTime += cpuTimeOf(plan.pids);
    clearProgress();
    auto& own = *KJ_ASSERT_NONNULL(load);
    auto result = kj::heap<BenchResult>(
        BenchResult{own.plan(), kj::mv(seen), own.counted(), plan.kills, {}, true, {}});
    sortForCheck(result->seen.told);
    auto client = context.clientFor(own.plan().servers);
    result->checked = plan.check;
    if (!plan.pids.empty()) result->cpuTime = cpuTime;
    auto verified = plan.check ? verifyHistories(*client, own.plan(), result->seen.told)
                               : kj::Promise<Verdict>(Verdict());
    return verified.attach(kj::mv(client))
        .then([this, result = kj::mv(result)](Verdict verdict) mutable -> int {
          result->verdict = kj::mv(verdict);
          printResult(context, *result);
          writeTimeline(*result);
          return codeOf(*result);
        });
  }

  int codeOf(const BenchResult& result) {
    if (!result.seen.problems.empty() || !result.verdict.problems.empty()) return INTERNAL_ERROR;
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

  // What nobody asked to keep goes, unless it is needed to find out what went wrong.
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
          show(text);
        } else if (own.created() < own.plan().auctions) {
          show("auctions created: " + std::to_string(own.created()) + " of " +
               std::to_string(own.plan().auctions));
        } else {
          show("reading the histories");
        }
      }
      return showProgress();
    });
  }

  void show(const std::string& text) {
    std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
    std::fflush(stderr);
    progressShown = true;
  }

  void clearProgress() {
    if (!progressShown) return;
    std::fprintf(stderr, "\r\x1b[K");
    std::fflush(stderr);
    progressShown = false;
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
