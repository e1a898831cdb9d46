#include "tests/client/program.h"

#include <fcntl.h>
#include <fstream>
#include <pty.h>
#include <signal.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "tests/support/fakes.h"

namespace gavel::client::testing {
namespace {

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (auto& word: words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

// The program about to be run.  It is prepared before fork(), since little may be done after that.
class Program {
public:
  Program(const std::string& configHome, std::vector<std::string> arguments,
          std::vector<std::string> environment)
      : arguments(std::move(arguments)), environment(std::move(environment)) {
    this->arguments.insert(this->arguments.begin(), GAVEL_BINARY);
    this->environment.push_back("XDG_CONFIG_HOME=" + configHome);
    this->environment.push_back("XDG_STATE_HOME=" + configHome);
    this->environment.push_back("PATH=/usr/bin:/bin");
    argumentPointers = pointers(this->arguments);
    environmentPointers = pointers(this->environment);
  }

  // Runs in the child.
  [[noreturn]] void execute() {
    dup2(open(outPath.c_str(), O_CREAT | O_WRONLY, 0600), STDOUT_FILENO);
    dup2(open(errPath.c_str(), O_CREAT | O_WRONLY, 0600), STDERR_FILENO);
    execve(GAVEL_BINARY, argumentPointers.data(), environmentPointers.data());
    _exit(127);
  }

  // Runs in the parent.
  Ran finish(pid_t pid) {
    int status = 0;
    KJ_SYSCALL(waitpid(pid, &status, 0));
    Ran ran;
    if (WIFEXITED(status)) ran.code = WEXITSTATUS(status);
    ran.out = readFile(outPath);
    ran.err = readFile(errPath);
    return ran;
  }

private:
  gavel::testing::TemporaryDirectory files;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::string outPath = files.path() + "/out";
  std::string errPath = files.path() + "/err";
  std::vector<char*> argumentPointers;
  std::vector<char*> environmentPointers;
};

}  // namespace

Ran runGavel(const std::string& configHome, std::vector<std::string> arguments,
             std::vector<std::string> environment, std::optional<int> interruptWhenReadable) {
  Program program(configHome, std::move(arguments), std::move(environment));
  auto pid = fork();
  KJ_REQUIRE(pid >= 0);
  if (pid == 0) program.execute();
  if (interruptWhenReadable) {
    char byte = 0;
    KJ_SYSCALL(read(*interruptWhenReadable, &byte, 1));
    KJ_SYSCALL(kill(pid, SIGINT));
  }
  return program.finish(pid);
}

Ran runGavelOnTerminal(const std::string& configHome, std::vector<std::string> arguments,
                       const std::string& typed) {
  Program program(configHome, std::move(arguments), {});
  int raw = -1;
  auto pid = forkpty(&raw, nullptr, nullptr, nullptr);
  KJ_REQUIRE(pid >= 0);
  if (pid == 0) program.execute();
  kj::AutoCloseFd terminal(raw);
  auto line = typed + "\n";
  KJ_SYSCALL(write(terminal, line.data(), line.size()));
  return program.finish(pid);
}

void writeFile(const std::string& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary) << contents;
}

std::string readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

}  // namespace gavel::client::testing
