#pragma once

#include <string>
#include <vector>

#include <kj/async-io.h>

namespace gavel::cluster {

// A program at a terminal of its own, and the screen: enough of a VT100 for a line editor.
class Terminal {
public:
  // `environment`: "NAME=value", added to that of this process.
  Terminal(kj::AsyncIoContext& io, const std::vector<std::string>& command,
           const std::vector<std::string>& environment);
  ~Terminal() noexcept(false);
  KJ_DISALLOW_COPY(Terminal);

  void type(const std::string& text);
  // Waits until the text is anywhere on the screen.  Throws, with the screen, after `patience`.
  void expect(const std::string& text, kj::Duration patience = 10 * kj::SECONDS);
  // Waits until the program ends, and returns its exit status.
  int wait();

  // The lines, without blanks at their ends.
  const std::vector<std::string>& screen() const { return lines; }
  std::string text() const;

private:
  kj::AsyncIoContext& io;
  pid_t pid = -1;
  int terminal = -1;
  std::vector<std::string> lines = {""};
  std::size_t row = 0;
  std::size_t column = 0;
  std::string sequence;  // An incomplete escape sequence.

  bool pump();
  void show(char c);
  void obey(char command, int count);
};

}  // namespace gavel::cluster
