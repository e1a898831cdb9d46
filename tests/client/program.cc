#include "tests/client/program.h"

#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>

#include "tests/support/fakes.h"

namespace gavel::client::testing {
namespace {

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (auto& word: words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

Ran runGavel(const std::string& configHome, std::vector<std::string> arguments,
             std::vector<std::string> environment, std::optional<int> interruptWhenReadable) {
  gavel::testing::TemporaryDirectory files;
  arguments.insert(arguments.begin(), GAVEL_BINARY);
  environment.push_back("XDG_CONFIG_HOME=" + configHome);
  environment.push_back("PATH=/usr/bin:/bin");
  auto argumentPointers = pointers(arguments);
  auto environmentPointers = pointers(environment);
  auto outPath = files.path() + "/out";
  auto errPath = files.path() + "/err";

  auto pid = fork();
  KJ_REQUIRE(pid >= 0);
  if (pid == 0) {
    dup2(open(outPath.c_str(), O_CREAT | O_WRONLY, 0600), STDOUT_FILENO);
    dup2(open(errPath.c_str(), O_CREAT | O_WRONLY, 0600), STDERR_FILENO);
    execve(GAVEL_BINARY, argumentPointers.data(), environmentPointers.data());
    _exit(127);
  }
  if (interruptWhenReadable) {
    char byte = 0;
    KJ_SYSCALL(read(*interruptWhenReadable, &byte, 1));
    KJ_SYSCALL(kill(pid, SIGINT));
  }
  int status = 0;
  KJ_SYSCALL(waitpid(pid, &status, 0));
  Ran ran;
  if (WIFEXITED(status)) ran.code = WEXITSTATUS(status);
  ran.out = readFile(outPath);
  ran.err = readFile(errPath);
  return ran;
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
