#pragma once

#include <string>
#include <vector>

#include <kj/async-io.h>
#include <kj/async-unix.h>

namespace gavel::client::cli {

// A server process that this process starts and that must not survive it.
//
// It has its own process group, so that a Ctrl-C at the terminal reaches only this process, which
// decides what to do.  The kernel kills it when this process dies, for whatever reason.  Its output
// goes to a log file.  captureChildExit() must have been called at the start of main().
class Child {
public:
  // Starts `arguments[0]`, a path.  Throws FAILED with a text for people if that fails.
  Child(kj::AsyncIoContext& io, std::string name, std::vector<std::string> arguments,
        std::string logPath);
  // Kills the process if it still runs.
  ~Child() noexcept(false);
  KJ_DISALLOW_COPY(Child);

  const std::string name;
  const std::string logPath;
  pid_t pid;

  // Resolves once the process has written on its standard output that it is ready.  Fails with a
  // text for people if it ends before.
  kj::Promise<void> ready();

  // Resolves, when the process has ended, with how: "was killed by signal 9", "ended with code 1".
  kj::Promise<std::string> ended() { return exit.addBranch(); }
  bool running() const { return liveId != nullptr; }

  // Does nothing if the process has ended.
  void signal(int number);

private:
  kj::Maybe<pid_t> liveId;  // The event port sets it to null when the process was waited for.
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
