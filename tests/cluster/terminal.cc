#include "tests/cluster/terminal.h"

#include <algorithm>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>

namespace gavel::cluster {
namespace {

constexpr unsigned short ROWS = 24;
constexpr unsigned short COLUMNS = 120;
constexpr auto LOOK = 5 * kj::MILLISECONDS;

}  // namespace

Terminal::Terminal(kj::AsyncIoContext& io, const std::vector<std::string>& command,
                   const std::vector<std::string>& environment)
    : io(io) {
  struct winsize size {
    ROWS, COLUMNS, 0, 0
  };
  std::vector<char*> arguments;
  for (auto& word: command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  KJ_SYSCALL(pid = forkpty(&terminal, nullptr, nullptr, &size));
  if (pid == 0) {
    setenv("TERM", "vt100", 1);
    for (auto& variable: environment) putenv(const_cast<char*>(variable.c_str()));
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  KJ_SYSCALL(fcntl(terminal, F_SETFL, O_NONBLOCK));
}

Terminal::~Terminal() noexcept(false) {
  if (pid > 0) {
    ::kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  close(terminal);
}

void Terminal::type(const std::string& text) {
  ssize_t written = 0;
  KJ_SYSCALL(written = write(terminal, text.data(), text.size()));
  KJ_ASSERT(written == static_cast<ssize_t>(text.size()));
}

// Shows what has arrived; returns false once nothing more can arrive.
bool Terminal::pump() {
  char buffer[4096];
  for (;;) {
    auto size = read(terminal, buffer, sizeof(buffer));
    if (size <= 0) return size < 0 && errno == EAGAIN;
    for (auto i = 0; i < size; ++i) show(buffer[i]);
  }
}

void Terminal::expect(const std::string& text, kj::Duration patience) {
  auto& timer = io.provider->getTimer();
  auto end = timer.now() + patience;
  for (;;) {
    bool more = pump();
    auto seen = [&](const std::string& line) { return line.find(text) != std::string::npos; };
    if (std::any_of(lines.begin(), lines.end(), seen)) return;
    KJ_REQUIRE(more && timer.now() < end, "this is not to be seen", text.c_str(),
               this->text().c_str());
    timer.afterDelay(LOOK).wait(io.waitScope);
  }
}

int Terminal::wait() {
  while (pump()) io.provider->getTimer().afterDelay(LOOK).wait(io.waitScope);
  int status = 0;
  KJ_SYSCALL(waitpid(pid, &status, 0));
  pid = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string Terminal::text() const {
  std::string all;
  for (auto& line: lines) all += line + "\n";
  return all;
}

void Terminal::show(char c) {
  if (!sequence.empty()) {
    sequence += c;
    bool begins = sequence.size() == 2;
    if (begins && c == '[') return;
    if (!begins && (isdigit(static_cast<unsigned char>(c)) || c == ';' || c == '?')) return;
    if (!begins) obey(c, std::max(1, atoi(sequence.c_str() + 2)));
    sequence.clear();
    return;
  }
  auto& line = lines[row];
  switch (c) {
    case '\033':
      sequence = c;
      return;
    case '\r':
      column = 0;
      return;
    case '\n':
      if (++row == lines.size()) lines.emplace_back();
      return;
    case '\b':
      if (column > 0) --column;
      return;
    case '\a':
    case '\017':  // Selects a character set; there is only one.
      return;
    default:
      if (line.size() <= column) line.resize(column + 1, ' ');
      line[column++] = c;
  }
}

void Terminal::obey(char command, int count) {
  auto& line = lines[row];
  auto steps = static_cast<std::size_t>(count);
  switch (command) {
    case 'K':
    case 'J':
      line.resize(std::min(line.size(), column));
      return;
    case 'C':
      column += steps;
      return;
    case 'D':
      column -= std::min(column, steps);
      return;
    case 'A':
      row -= std::min(row, steps);
      return;
    default:
      return;  // Colours and the like.
  }
}

}  // namespace gavel::cluster
