#include "tests/simulation/runner.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/exception.h>

namespace gavel::simulation {
namespace {

// A worker reports the result of a seed as one line, in which fields are separated by tabs.
constexpr char LINE_BREAK = '\x1f';

std::string encode(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (auto& [name, count]: counts) text += fmt::format("{}={};", name, count);
  return text;
}

std::map<std::string, std::uint64_t> decodeCounts(const std::string& text) {
  std::map<std::string, std::uint64_t> counts;
  for (std::size_t at = 0; at < text.size();) {
    auto equals = text.find('=', at);
    auto end = text.find(';', equals);
    counts[text.substr(at, equals - at)] = std::stoull(text.substr(equals + 1, end - equals - 1));
    at = end + 1;
  }
  return counts;
}

std::string encode(const Report& report) {
  auto failure = report.failure;
  for (char& c: failure) {
    if (c == '\n') c = LINE_BREAK;
    if (c == '\t') c = ' ';
  }
  auto& done = report.operations;
  return fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", report.seed,
                     report.hash, report.seconds, report.events, report.longestGap, done.operations,
                     done.successes, done.fails, done.reads, done.unknown, done.notApplied,
                     encode(report.counts), encode(report.results), failure);
}

Report decode(const std::string& line) {
  std::vector<std::string> fields;
  for (std::size_t at = 0; at <= line.size();) {
    auto end = std::min(line.find('\t', at), line.size());
    fields.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  KJ_REQUIRE(fields.size() == 14, "a worker told nonsense", line.c_str());
  Report report;
  report.seed = std::stoull(fields[0]);
  report.hash = std::stoull(fields[1]);
  report.seconds = std::stod(fields[2]);
  report.events = std::stoull(fields[3]);
  report.longestGap = std::stod(fields[4]);
  report.operations.operations = std::stoull(fields[5]);
  report.operations.successes = std::stoull(fields[6]);
  report.operations.fails = std::stoull(fields[7]);
  report.operations.reads = std::stoull(fields[8]);
  report.operations.unknown = std::stoull(fields[9]);
  report.operations.notApplied = std::stoull(fields[10]);
  report.counts = decodeCounts(fields[11]);
  report.results = decodeCounts(fields[12]);
  report.failure = fields[13];
  for (char& c: report.failure) {
    if (c == LINE_BREAK) c = '\n';
  }
  return report;
}

// A process that runs the seeds it is given, one at a time.
struct Worker {
  pid_t pid = 0;
  int orders = -1;   // Seeds go there.
  int reports = -1;  // Lines come from there.
  std::string partial;
  std::uint64_t seed = 0;  // The seed that it runs; meaningful while `busy`.
  bool busy = false;
};

// Limits the processor time of this process: beyond it a signal ends the process.  Time on the wall
// would pass also while others have the processor.
void limitProcessorTime(unsigned seconds) {
  struct itimerval limit {};
  limit.it_value.tv_sec = seconds;
  KJ_SYSCALL(setitimer(ITIMER_PROF, &limit, nullptr));
}

[[noreturn]] void work(int orders, int reports, unsigned timeout) {
  std::uint64_t seed = 0;
  while (read(orders, &seed, sizeof(seed)) == sizeof(seed)) {
    limitProcessorTime(timeout);
    Trace trace(Trace::Detail::none);
    Report report;
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { report = runSeed(seed, trace); })) {
      report.seed = seed;
      report.failure =
          kj::str("the simulation itself failed: ", exception->getDescription()).cStr();
    }
    auto line = encode(report);
    KJ_ASSERT(write(reports, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  }
  _exit(EXIT_SUCCESS);
}

Worker startWorker(unsigned timeout, const std::vector<Worker>& others) {
  int orders[2], reports[2];
  KJ_SYSCALL(pipe(orders));
  KJ_SYSCALL(pipe(reports));
  fflush(stdout);
  pid_t pid = 0;
  KJ_SYSCALL(pid = fork());
  if (pid == 0) {
    // If it held an end of another worker's pipe, that worker would not see the end of its input.
    for (auto& other: others) {
      close(other.orders);
      close(other.reports);
    }
    close(orders[1]);
    close(reports[0]);
    work(orders[0], reports[1], timeout);
  }
  close(orders[0]);
  close(reports[1]);
  Worker worker;
  worker.pid = pid;
  worker.orders = orders[1];
  worker.reports = reports[0];
  return worker;
}

// Returns how it ended.
std::string stopWorker(Worker& worker) {
  close(worker.orders);
  close(worker.reports);
  worker.orders = worker.reports = -1;
  int status = 0;
  while (waitpid(worker.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFSIGNALED(status)) return "the process that ran it ended";
  if (WTERMSIG(status) == SIGPROF) return "it took too long, in processor time";
  return fmt::format("the process that ran it was ended by signal {} ({})", WTERMSIG(status),
                     strsignal(WTERMSIG(status)));
}

void say(const Report& report) {
  if (report.failure.empty()) return;
  printf(
      "seed %llu FAILED: %s\n  again, with a trace: tests/simulation/run --seed %llu --trace -\n",
      static_cast<unsigned long long>(report.seed), report.failure.c_str(),
      static_cast<unsigned long long>(report.seed));
  fflush(stdout);
}

}  // namespace

void Summary::add(const Report& report) {
  ++seeds;
  if (!report.failure.empty()) failures.push_back({report.seed, report.failure});
  virtualSeconds += report.seconds;
  events += report.events;
  longestGap = std::max(longestGap, report.longestGap);
  operations.operations += report.operations.operations;
  operations.successes += report.operations.successes;
  operations.fails += report.operations.fails;
  operations.reads += report.operations.reads;
  operations.unknown += report.operations.unknown;
  operations.notApplied += report.operations.notApplied;
  for (auto& [name, count]: report.counts) faults[name] += count;
  for (auto& [name, count]: report.results) results[name] += count;
}

std::string Summary::text() const {
  auto each = [&](std::uint64_t count) {
    return static_cast<double>(count) / static_cast<double>(std::max<std::uint64_t>(seeds, 1));
  };
  auto list = [&](const std::map<std::string, std::uint64_t>& counts) {
    std::string text;
    for (auto& [name, count]: counts) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
    }
    return text.empty() ? std::string("none") : text;
  };
  return fmt::format(
      "SIMULATION {} seeds, {} failures, {:.2f} virtual hours in {:.1f} s: {:.1f} seeds/s\n"
      "SIMULATION per seed: {:.0f} operations ({:.0f} successful, {:.0f} failed, {:.0f} reads, "
      "{:.1f} unknown, {:.1f} not applied), {:.0f} events, {:.1f} virtual seconds\n"
      "SIMULATION faults that struck: {}\n"
      "SIMULATION what followed: {}\n"
      "SIMULATION while one link did not work: {:.1f} virtual seconds without a success, at most\n",
      seeds, failures.size(), virtualSeconds / 3600, wallSeconds,
      static_cast<double>(seeds) / std::max(wallSeconds, 0.001), each(operations.operations),
      each(operations.successes), each(operations.fails), each(operations.reads),
      each(operations.unknown), each(operations.notApplied), each(events),
      virtualSeconds / static_cast<double>(std::max<std::uint64_t>(seeds, 1)), list(faults),
      list(results), longestGap);
}

Summary runSeeds(const Seeds& seeds) {
  signal(SIGPIPE, SIG_IGN);
  auto begin = std::chrono::steady_clock::now();
  Summary summary;
  std::vector<Worker> workers;
  for (unsigned i = 0; i < seeds.jobs; ++i) workers.push_back(startWorker(seeds.timeout, workers));
  auto next = seeds.first;
  auto end = seeds.first + seeds.count;
  auto finish = [&](const Report& report) {
    if (!seeds.quiet) say(report);
    summary.add(report);
  };
  for (;;) {
    std::vector<struct pollfd> polled;
    bool busy = false;
    for (auto& worker: workers) {
      if (!worker.busy && next < end && summary.failures.size() < seeds.mostFailures) {
        worker.seed = next++;
        worker.busy = true;
        KJ_ASSERT(write(worker.orders, &worker.seed, sizeof(worker.seed)) == sizeof(worker.seed));
      }
      busy = busy || worker.busy;
      polled.push_back({worker.reports, static_cast<short>(worker.busy ? POLLIN : 0), 0});
    }
    if (!busy) break;
    KJ_SYSCALL(poll(polled.data(), polled.size(), -1));
    for (std::size_t i = 0; i < workers.size(); ++i) {
      auto& worker = workers[i];
      if (!worker.busy || polled[i].revents == 0) continue;
      char buffer[65536];
      ssize_t size = 0;
      KJ_SYSCALL(size = read(worker.reports, buffer, sizeof(buffer)));
      if (size == 0) {
        Report report;
        report.seed = worker.seed;
        report.failure = stopWorker(worker);
        finish(report);
        worker = startWorker(seeds.timeout, workers);
        continue;
      }
      worker.partial.append(buffer, static_cast<std::size_t>(size));
      auto line = worker.partial.find('\n');
      if (line == std::string::npos) continue;
      finish(decode(worker.partial.substr(0, line)));
      worker.partial.clear();
      worker.busy = false;
    }
  }
  for (auto& worker: workers) stopWorker(worker);
  summary.wallSeconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return summary;
}

}  // namespace gavel::simulation
