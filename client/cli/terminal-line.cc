#include "client/cli/terminal-line.h"

#include <cstdio>
#include <unistd.h>

#include <kj/async-unix.h>

namespace gavel::client::cli {
namespace {

class TerminalLine {
public:
  explicit TerminalLine(kj::UnixEventPort& port)
      : observer(port, STDIN_FILENO, kj::UnixEventPort::FdObserver::OBSERVE_READ) {}

  kj::Promise<std::string> read() {
    return observer.whenBecomesReadable().then([]() {
      // The terminal returns whole lines, so this does not block.
      char buffer[1024];
      auto size = ::read(STDIN_FILENO, buffer, sizeof(buffer));
      std::string line(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
      return line.substr(0, line.find('\n'));
    });
  }

private:
  kj::UnixEventPort::FdObserver observer;
};

}  // namespace

bool canAsk() {
  return isatty(STDIN_FILENO) != 0;
}

kj::Promise<std::string> askOnTerminal(Context& context, const std::string& question) {
  std::fputs(question.c_str(), stderr);
  std::fflush(stderr);
  auto line = kj::heap<TerminalLine>(context.io.unixEventPort);
  auto typed = line->read();
  return typed.attach(kj::mv(line));
}

}  // namespace gavel::client::cli
