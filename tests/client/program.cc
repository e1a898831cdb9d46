#include "tests/client/program.h"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <signal.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>

namespace gavel::client::testing {
namespace {

std::string makeDirectory() {
  std::string path = std::filesystem::temp_directory_path() / "gavel-test-XXXXXX";
  KJ_REQUIRE(mkdtemp(path.data()) != nullptr);
  return path;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (auto& word: words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory(): path(makeDirectory()) {}
TemporaryDirectory::~TemporaryDirectory() {
  std::error_code error;
  std::filesystem::remove_all(path, error);
}

Ran runGavel(const std::string& configHome, std::vector<std::string> arguments,
             std::vector<std::string> environment, InterruptAfter interrupt) {
  TemporaryDirectory files;
  arguments.insert(arguments.begin(), GAVEL_BINARY);
  environment.push_back("XDG_CONFIG_HOME=" + configHome);
  environment.push_back("PATH=/usr/bin:/bin");
  auto argumentPointers = pointers(arguments);
  auto environmentPointers = pointers(environment);
  auto outPath = files.path + "/out";
  auto errPath = files.path + "/err";

  auto pid = fork();
  KJ_REQUIRE(pid >= 0);
  if (pid == 0) {
    dup2(open(outPath.c_str(), O_CREAT | O_WRONLY, 0600), STDOUT_FILENO);
    dup2(open(errPath.c_str(), O_CREAT | O_WRONLY, 0600), STDERR_FILENO);
    execve(GAVEL_BINARY, argumentPointers.data(), environmentPointers.data());
    _exit(127);
  }
  if (interrupt.milliseconds > 0) {
    usleep(interrupt.milliseconds * 1000);
    kill(pid, SIGINT);
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
