#include "tests/store/probe.h"

#include <cstdio>
#include <cstdlib>
#include <signal.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace gavel {

ProbeResult probe(const std::string& name, const std::string& directory, unsigned killAt) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  auto filter = "--gtest_filter=" + name;
  // Made before the fork, since other threads may hold the allocator's lock in the child.
  std::string variable = "GAVEL_PROBE=" + directory;
  char brief[] = "--gtest_brief=1", self[] = "probe";
  char* arguments[] = {self, filter.data(), brief, nullptr};
  std::vector<char*> environment;
  for (char** i = environ; *i != nullptr; ++i) environment.push_back(*i);
  environment.push_back(variable.data());
  environment.push_back(nullptr);

  auto child = fork();
  if (child < 0) throw std::runtime_error("no process");
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    execve("/proc/self/exe", arguments, environment.data());
    _exit(127);
  }
  close(ends[1]);
  ProbeResult result;
  char buffer[4096];
  unsigned lines = 0;
  std::size_t looked = 0;
  for (ssize_t size; (size = read(ends[0], buffer, sizeof(buffer))) > 0;) {
    result.output.append(buffer, static_cast<std::size_t>(size));
    for (; (looked = result.output.find("durable ", looked)) != std::string::npos; ++looked)
      ++lines;
    looked = result.output.size();
    if (killAt != 0 && lines >= killAt) {
      kill(child, SIGKILL);
      killAt = 0;
    }
  }
  close(ends[0]);
  waitpid(child, &result.status, 0);
  return result;
}

std::string probeDirectory() {
  const char* value = getenv("GAVEL_PROBE");
  return value == nullptr ? "" : value;
}

}  // namespace gavel
