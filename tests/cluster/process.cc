#include "tests/cluster/process.h"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <signal.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "tests/support/fakes.h"

namespace gavel::cluster {
namespace {

constexpr auto POLL = 2 * kj::MILLISECONDS;

int exitStatus(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string contents(const std::string& path, std::size_t from = 0) {
  std::ifstream file(path);
  file.seekg(static_cast<std::streamoff>(from));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Process::Process(kj::AsyncIoContext& io, std::vector<std::string> command,
                 const std::string& logPath)
    : io(io), name(command.front()), logPath(logPath) {
  int pipe[2];
  KJ_SYSCALL(pipe2(pipe, O_CLOEXEC));
  kj::AutoCloseFd readEnd(pipe[0]);
  kj::AutoCloseFd writeEnd(pipe[1]);
  int opened = 0;
  KJ_SYSCALL(opened = open(logPath.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  kj::AutoCloseFd errors(opened);
  logBegin = std::filesystem::file_size(logPath);
  std::vector<char*> arguments;
  for (auto& argument: command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);

  KJ_SYSCALL(pid_ = fork());
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The child inherits the signals that the parent's event loop blocks.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(writeEnd, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  output = io.lowLevelProvider->wrapInputFd(kj::mv(readEnd));
}

Process::~Process() noexcept(false) {
  if (running()) kill();
}

std::optional<std::string> Process::tryReadLine(kj::Duration patience) {
  auto& timer = io.provider->getTimer();
  auto deadline = timer.now() + patience;
  for (;;) {
    if (auto end = buffered.find('\n'); end != std::string::npos) {
      auto line = buffered.substr(0, end);
      buffered.erase(0, end + 1);
      return line;
    }
    char bytes[4096];
    auto size = timer.timeoutAfter(deadline - timer.now(), output->tryRead(bytes, 1, sizeof(bytes)))
                    .wait(io.waitScope);
    if (size == 0) return std::nullopt;
    buffered.append(bytes, size);
  }
}

std::string Process::readLine(kj::Duration patience) {
  auto line = tryReadLine(patience);
  KJ_REQUIRE(line.has_value(), "a process ended without the expected line", name.c_str(),
             log().c_str());
  return *line;
}

void Process::signal(int number) {
  if (!running()) return;  // Its id may belong to another process now.
  KJ_SYSCALL(::kill(pid_, number), name.c_str());
}

void Process::kill() {
  if (!running()) return;
  signal(SIGKILL);
  KJ_SYSCALL(waitpid(pid_, &status, 0));
}

bool Process::running() {
  if (status != -1) return false;
  int result = 0;
  KJ_SYSCALL(result = waitpid(pid_, &status, WNOHANG));
  if (result == 0) status = -1;
  return result == 0;
}

int Process::wait(kj::Duration patience) {
  auto deadline = io.provider->getTimer().now() + patience;
  while (running()) {
    KJ_REQUIRE(io.provider->getTimer().now() < deadline, "a process does not end", name.c_str());
    io.provider->getTimer().afterDelay(POLL).wait(io.waitScope);
  }
  return exitStatus(status);
}

std::string Process::log() const {
  return contents(logPath, logBegin);
}

unsigned freePorts(kj::AsyncIoContext& io, unsigned count) {
  auto& network = io.provider->getNetwork();
  auto isFree = [&](unsigned port) {
    auto address = network.parseAddress("127.0.0.1", port).wait(io.waitScope);
    return kj::runCatchingExceptions([&]() { address->listen(); }) == nullptr;
  };
  unsigned port = 7600;
  for (unsigned found = 0; found < count; ++port) found = isFree(port) ? found + 1 : 0;
  return port - count;
}

std::string binary(const std::string& name) {
  return std::string(GAVEL_BINARIES "/") + name;
}

Finished runToEnd(kj::AsyncIoContext& io, std::vector<std::string> command, kj::Duration patience) {
  gavel::testing::TemporaryDirectory directory;
  auto quoted = std::string("exec \"$0\" \"$@\" >") + directory.path() + "/out";
  std::vector<std::string> shell = {"/bin/sh", "-c", quoted};
  shell.insert(shell.end(), command.begin(), command.end());
  Process process(io, shell, directory.path() + "/err");
  Finished result;
  result.status = process.wait(patience);
  result.output = contents(directory.path() + "/out");
  result.errors = contents(directory.path() + "/err");
  return result;
}

}  // namespace gavel::cluster
