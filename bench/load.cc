#include "bench/load.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <time.h>
#include <unistd.h>
#include <vector>

#include <kj/debug.h>
#include <kj/thread.h>
#include <kj/vector.h>

#include "base/process.h"

namespace gavel::bench {
namespace {

// Reads the clock itself, since that of the event loop stands still within a turn.
kj::TimePoint now() {
  return kj::systemPreciseMonotonicClock().now();
}

kj::Duration read(clockid_t clock) {
  struct timespec time {};
  KJ_SYSCALL(clock_gettime(clock, &time));
  return time.tv_sec * kj::SECONDS + time.tv_nsec * kj::NANOSECONDS;
}

// The results of one client.
struct Tally {
  std::vector<std::int64_t> latencies;  // ns, of calls answered while counting.
  kj::Duration counted = 0 * kj::SECONDS;
  std::uint64_t calls = 0;
  kj::Duration cpu = 0 * kj::SECONDS;
};

// Runs within one client's thread.
class Client {
public:
  Client(kj::AsyncIoContext& io, Caller& caller): io(io), caller(caller) {}

  Tally run(unsigned inFlight, const Load& load) {
    auto slots = kj::heapArrayBuilder<kj::Promise<void>>(inFlight);
    for (unsigned i = 0; i < inFlight; ++i) slots.add(slot());
    auto all = kj::joinPromises(slots.finish()).eagerlyEvaluate(nullptr);
    auto& timer = io.provider->getTimer();
    timer.afterDelay(load.warmUp).wait(io.waitScope);
    counting = true;
    auto begin = now();
    timer.afterDelay(load.time).wait(io.waitScope);
    counting = false;
    tally.counted = now() - begin;
    over = true;
    all.wait(io.waitScope);
    tally.cpu = read(CLOCK_THREAD_CPUTIME_ID);
    return std::move(tally);
  }

private:
  kj::AsyncIoContext& io;
  Caller& caller;
  Tally tally;
  bool counting = false;
  bool over = false;

  kj::Promise<void> slot() {
    if (over) return kj::READY_NOW;
    ++tally.calls;
    auto begin = now();
    return caller.call().then([this, begin]() {
      if (counting) tally.latencies.push_back((now() - begin) / kj::NANOSECONDS);
      return slot();
    });
  }
};

}  // namespace

Measured measure(kj::AsyncIoContext& io, const MakeCaller& make, const Load& load) {
  KJ_REQUIRE(load.clients > 0 && load.inFlight >= load.clients, load.clients, load.inFlight);
  kj::Vector<kj::Promise<Tally>> tallies;
  // The last member, so it is destroyed first: each element waits for its thread.
  kj::Vector<kj::Own<kj::Thread>> threads;
  for (unsigned i = 0; i < load.clients; ++i) {
    auto paf = kj::newPromiseAndCrossThreadFulfiller<Tally>();
    tallies.add(kj::mv(paf.promise));
    auto inFlight = load.inFlight / load.clients + (i < load.inFlight % load.clients ? 1 : 0);
    threads.add(
        kj::heap<kj::Thread>([&make, &load, inFlight, fulfiller = kj::mv(paf.fulfiller)]() mutable {
          fulfiller->rejectIfThrows([&]() {
            auto threadIo = setUpEventLoop();
            auto caller = make(threadIo);
            fulfiller->fulfill(Client(threadIo, *caller).run(inFlight, load));
          });
        }));
  }
  Measured measured;
  std::vector<std::int64_t> latencies;
  for (auto& tally: kj::joinPromises(tallies.releaseAsArray()).wait(io.waitScope)) {
    measured.perSecond +=
        double(tally.latencies.size()) / (double(tally.counted / kj::NANOSECONDS) / 1e9);
    measured.calls += tally.calls;
    measured.clientCpu += tally.cpu;
    latencies.insert(latencies.end(), tally.latencies.begin(), tally.latencies.end());
  }
  measured.p50 = quantile(latencies, 0.5);
  measured.p99 = quantile(latencies, 0.99);
  return measured;
}

kj::Duration quantile(std::vector<std::int64_t>& nanoseconds, double which) {
  if (nanoseconds.empty()) return 0 * kj::SECONDS;
  auto at =
      nanoseconds.begin() + static_cast<std::ptrdiff_t>(which * double(nanoseconds.size() - 1));
  std::nth_element(nanoseconds.begin(), at, nanoseconds.end());
  return *at * kj::NANOSECONDS;
}

MachineTime machineTime() {
  // "cpu  user nice system idle iowait irq softirq steal ...", in ticks.
  std::ifstream file("/proc/stat");
  std::string name;
  std::int64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
  std::int64_t steal = 0;
  file >> name >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal;
  KJ_REQUIRE(file.good() && name == "cpu", "/proc/stat is not as expected");
  auto tick = kj::SECONDS / sysconf(_SC_CLK_TCK);
  auto used = user + nice + system + steal;
  return {used * tick, (used + idle + iowait + irq + softirq) * tick};
}

}  // namespace gavel::bench
