#include "tests/planted/search.h"

#include <chrono>
#include <cstring>
#include <map>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>

#include "tests/simulation/scenario.h"

namespace gavel::plants {
namespace {

// A process that does one search, and the pipe on which it tells what came of it.
struct Searcher {
  std::size_t place = 0;
  pid_t process = 0;
  std::string told;
};

// One line of numbers, then the text.
std::string encode(const Finding& finding) {
  return kj::str(finding.found ? 1 : 0, ' ', finding.seeds, ' ', finding.virtualSeconds, ' ',
                 finding.seconds, '\n', finding.check.c_str())
      .cStr();
}

Finding decode(const std::string& text) {
  Finding finding;
  int found = 0;
  unsigned long seeds = 0;
  auto read = std::sscanf(text.c_str(), "%d %lu %lf %lf", &found, &seeds, &finding.virtualSeconds,
                          &finding.seconds);
  if (read != 4) {
    finding.check = "the search broke down";
    return finding;
  }
  finding.found = found == 1;
  finding.seeds = seeds;
  finding.check = text.substr(text.find('\n') + 1);
  return finding;
}

void writeAll(int fd, const std::string& text) {
  for (std::size_t written = 0; written < text.size();) {
    ssize_t n;
    KJ_SYSCALL(n = write(fd, text.data() + written, text.size() - written));
    written += static_cast<std::size_t>(n);
  }
}

int start(Searcher& searcher, const std::function<Finding()>& search) {
  int ends[2];
  KJ_SYSCALL(pipe(ends));
  KJ_SYSCALL(searcher.process = fork());
  if (searcher.process == 0) {
    close(ends[0]);
    writeAll(ends[1], encode(search()));
    _exit(0);
  }
  close(ends[1]);
  return ends[0];
}

// False once there is nothing more to come.
bool readMore(int fd, std::string& text) {
  char buffer[4096];
  ssize_t n;
  KJ_SYSCALL(n = read(fd, buffer, sizeof(buffer)));
  text.append(buffer, static_cast<std::size_t>(n));
  return n > 0;
}

Finding end(int fd, const Searcher& searcher) {
  close(fd);
  int status;
  KJ_SYSCALL(waitpid(searcher.process, &status, 0));
  auto finding = decode(searcher.told);
  if (WIFSIGNALED(status)) finding.check += std::string(": ") + strsignal(WTERMSIG(status));
  return finding;
}

}  // namespace

Finding search(Bug bug, std::uint64_t first, std::uint64_t bound) {
  plantedBug = bug;
  auto begun = std::chrono::steady_clock::now();
  Finding finding;
  while (!finding.found && finding.seeds < bound) {
    simulation::Trace trace(simulation::Trace::Detail::none);
    auto report = simulation::runSeed(first + finding.seeds, trace);
    ++finding.seeds;
    finding.virtualSeconds += report.seconds;
    finding.found = !report.failure.empty();
    finding.check = report.failure;
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  finding.seconds = took.count();
  return finding;
}

void searchAll(const std::vector<std::function<Finding()>>& searches, unsigned jobs,
               const std::function<void(std::size_t, const Finding&)>& done) {
  std::map<int, Searcher> running;  // By the pipe's end.
  for (std::size_t next = 0; next < searches.size() || !running.empty();) {
    while (next < searches.size() && running.size() < jobs) {
      Searcher searcher;
      searcher.place = next;
      auto fd = start(searcher, searches[next++]);
      running[fd] = searcher;
    }
    std::vector<pollfd> pipes;
    for (auto& [fd, searcher]: running) pipes.push_back({fd, POLLIN, 0});
    KJ_SYSCALL(poll(pipes.data(), pipes.size(), -1));
    for (auto& pipe: pipes) {
      auto& searcher = running[pipe.fd];
      if (pipe.revents == 0 || readMore(pipe.fd, searcher.told)) continue;
      done(searcher.place, end(pipe.fd, searcher));
      running.erase(pipe.fd);
    }
  }
}

}  // namespace gavel::plants
