#include "client/cli/child.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

namespace gavel::client::cli {
namespace {

[[noreturn]] void fail(const std::string& what, int error) {
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                        kj::str((what + ": " + strerror(error)).c_str())));
}

// Runs between fork() and exec(), so it makes async-signal-safe calls only.
[[noreturn]] void becomeChild(pid_t parent, char* const* arguments, int output, int log) {
  // The child inherits the signals that the event loop blocks and ignores.  A process that blocks
  // SIGTERM does not stop.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // The parent died before the line above.
  int nothing = open("/dev/null", O_RDONLY);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(arguments[0], arguments);
  const char* reason = strerror(errno);
  static constexpr char TEXT[] = "cannot be executed: ";
  (void)!write(STDERR_FILENO, TEXT, sizeof(TEXT) - 1);
  (void)!write(STDERR_FILENO, reason, strlen(reason));
  (void)!write(STDERR_FILENO, "\n", 1);
  _exit(127);
}

std::string describe(int status) {
  if (WIFSIGNALED(status)) {
    int number = WTERMSIG(status);
    return "was killed by signal " + std::to_string(number) + " (" + strsignal(number) + ")";
  }
  return "ended with code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Child::Child(kj::AsyncIoContext& io, std::string name, std::vector<std::string> arguments,
             std::string logPath)
    : name(std::move(name)),
      logPath(std::move(logPath)),
      pid(-1),
      readiness(nullptr),
      exit(nullptr),
      reading(nullptr) {
  int rawLog = open(this->logPath.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (rawLog < 0) fail("cannot write " + this->logPath, errno);
  log = kj::AutoCloseFd(rawLog);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("cannot make a pipe", errno);
  kj::AutoCloseFd readEnd(ends[0]);
  kj::AutoCloseFd writeEnd(ends[1]);

  std::vector<char*> words;
  for (auto& argument: arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  auto parent = getpid();
  auto id = fork();
  if (id < 0) fail("cannot start " + this->name, errno);
  if (id == 0) becomeChild(parent, words.data(), writeEnd, log);
  pid = id;
  liveId = id;

  exit =
      io.unixEventPort.onChildExit(liveId).then([](int status) { return describe(status); }).fork();
  output = io.lowLevelProvider->wrapInputFd(kj::mv(readEnd));
  auto paf = kj::newPromiseAndFulfiller<void>();
  saidReady = kj::mv(paf.fulfiller);
  readiness = paf.promise.fork();
  reading = read().eagerlyEvaluate([](kj::Exception&&) {});
}

Child::~Child() noexcept(false) {
  signal(SIGKILL);
}

kj::Promise<void> Child::ready() {
  auto died = exit.addBranch().then([this](std::string how) -> kj::Promise<void> {
    auto why = lastLogLine();
    return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                         kj::str((name + " " + how + (why.empty() ? "" : ": ") + why).c_str()));
  });
  return readiness.addBranch().exclusiveJoin(kj::mv(died));
}

void Child::signal(int number) {
  KJ_IF_MAYBE (id, liveId) {
    kill(*id, number);
  }
}

kj::Promise<void> Child::read() {
  return output->tryRead(buffer, 1, sizeof(buffer))
      .then([this](std::size_t size) -> kj::Promise<void> {
        if (size == 0) return kj::READY_NOW;
        kj::FdOutputStream(log.get()).write(buffer, size);
        for (auto c: kj::arrayPtr(buffer, size)) {
          if (c == '\n') {
            if (line.find(" ready on ") != std::string::npos) saidReady->fulfill();
            line.clear();
          } else if (line.size() < sizeof(buffer)) {
            line += static_cast<char>(c);
          }
        }
        return read();
      });
}

std::string Child::lastLogLine() const {
  std::ifstream file(logPath);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace gavel::client::cli
