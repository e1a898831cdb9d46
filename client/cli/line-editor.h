#pragma once

#include <functional>
#include <string>
#include <vector>

#include <kj/async-unix.h>
#include <kj/function.h>

namespace gavel::client::cli {

// A line that is edited at the terminal, with history and completion (libedit), while the event
// loop goes on and other things are printed above it.  One at a time, on standard input and output.
class LineEditor {
public:
  struct Options {
    std::string prompt;
    std::string historyFile;  // Read at the start, written at the end; empty: none.
    // The words that may stand where the last of `before`, which may be empty, is being typed.
    std::function<std::vector<std::string>(const std::vector<std::string>& before)> candidates;
  };

  LineEditor(kj::UnixEventPort& port, Options options);
  // Leaves the terminal as it was found.
  ~LineEditor() noexcept(false);
  KJ_DISALLOW_COPY(LineEditor);

  // The next line, without its end; null at the end of input.  Dropping the promise keeps what was
  // typed for the next call.
  kj::Promise<kj::Maybe<std::string>> read();

  // Lets `print` write lines to the terminal above the line that is being edited.
  void above(kj::Function<void()> print);

  void setPrompt(std::string prompt);

private:
  struct Impl;

  kj::Own<Impl> impl;
};

}  // namespace gavel::client::cli
