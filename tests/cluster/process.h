#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include <kj/async-io.h>

namespace gavel::cluster {

// A real process, started from a binary of this build.  It ends with this object, and with the
// test.
class Process {
public:
  // Standard output is read by this object, standard error goes to the end of `logPath`.
  Process(kj::AsyncIoContext& io, std::vector<std::string> command, const std::string& logPath);
  ~Process() noexcept(false);
  KJ_DISALLOW_COPY(Process);

  pid_t pid() const { return pid_; }

  // The next line of its output; nothing if it ends without one.  Throws after `patience`.
  std::optional<std::string> tryReadLine(kj::Duration patience = 10 * kj::SECONDS);
  // Throws also if it ends without one.
  std::string readLine(kj::Duration patience = 10 * kj::SECONDS);

  // Does nothing if it has ended.
  void signal(int number);
  // Sends SIGKILL, and waits until the process is gone.
  void kill();
  // Waits until it ends.  Returns its exit status, or 128 + the signal that ended it.  Throws after
  // `patience`.
  int wait(kj::Duration patience = 10 * kj::SECONDS);
  bool running();

  // All its output on standard error so far.
  std::string log() const;

private:
  kj::AsyncIoContext& io;
  std::string name;
  std::string logPath;
  std::size_t logBegin = 0;  // Others may have written to the file before.
  pid_t pid_ = 0;
  int status = -1;
  kj::Own<kj::AsyncInputStream> output;
  std::string buffered;
};

// The first of `count` ports in a row on 127.0.0.1 that nobody uses.  They are below those that the
// system chooses, since an outgoing connection may take one of those at any moment.
unsigned freePorts(kj::AsyncIoContext& io, unsigned count);

// The path of one of this build's programs.
std::string binary(const std::string& name);

// Runs a program to its end.
struct Finished {
  int status = 0;
  std::string output;
  std::string errors;
};
Finished runToEnd(kj::AsyncIoContext& io, std::vector<std::string> command,
                  kj::Duration patience = 60 * kj::SECONDS);

}  // namespace gavel::cluster
