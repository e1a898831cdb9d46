#pragma once

#include <string>
#include <vector>

#include <kj/async-io.h>
#include <kj/async-unix.h>

namespace gavel::client::cli {

// A server process that this one started and that must not survive it.
//
// It has its own process group, so that a Ctrl-C at the terminal does not reach it before we have
// decided what to do, and the kernel kills it when this process dies, however that happens.  What
// it writes goes to a log file.  captureChildExit() must have been called at the start of main().
class Child {
public:
  // Starts `arguments[0]`, a path.  Throws FAILED, described for people, if that cannot be done.
  Child(kj::AsyncIoContext& io, std::string name, std::vector<std::string> arguments,
        std::string logPath);
  // Kills it, if it still runs.
  ~Child() noexcept(false);
  KJ_DISALLOW_COPY(Child);

  const std::string name;
  const std::string logPath;
  pid_t pid;

  // Resolves once the process has said on its standard output that it is ready.  Fails with a
  // description made for people if it ended instead.
  kj::Promise<void> ready();

  // Resolves, when it has ended, with how: "was killed by signal 9", "ended with code 1".
  kj::Promise<std::string> ended() { return exit.addBranch(); }
  bool running() const { return liveId != nullptr; }

  // Does nothing if it has ended.
  void signal(int number);

private:
  kj::Maybe<pid_t> liveId;  // Nulled by the event port when the process was waited for.
  kj::Own<kj::AsyncInputStream> output;
  kj::AutoCloseFd log;
  std::string line;
  kj::byte buffer[4096];
  kj::Own<kj::PromiseFulfiller<void>> saidReady;
  kj::ForkedPromise<void> readiness;
  kj::ForkedPromise<std::string> exit;
  kj::Promise<void> reading;

  kj::Promise<void> read();
  std::string lastLogLine() const;
};

}  // namespace gavel::client::cli
