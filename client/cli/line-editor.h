#pragma once

#include <functional>
#include <string>
#include <vector>

#include <kj/async-unix.h>
#include <kj/function.h>

namespace gavel::client::cli {

// Edits a line at the terminal, with history and completion (libedit), while the event loop runs
// and other things are printed above the line.  There is one at a time, on standard input and
// output.
class LineEditor {
public:
  struct Options {
    std::string prompt;
    std::string historyFile;  // Read at the start, written at the end; empty: none.
    // The words that may take the place of the last of `before`, which is being typed and may be
    // empty.
    std::function<std::vector<std::string>(const std::vector<std::string>& before)> candidates;
  };

  LineEditor(kj::UnixEventPort& port, Options options);
  // Restores the terminal.
  ~LineEditor() noexcept(false);
  KJ_DISALLOW_COPY(LineEditor);

  // Resolves to the next line, without its end; null at the end of input.  Dropping the promise
  // keeps the typed text for the next call.
  kj::Promise<kj::Maybe<std::string>> read();

  // Lets `print` write lines to the terminal above the line that is being edited.
  void above(kj::Function<void()> print);

  void setPrompt(std::string prompt);

private:
  struct Impl;

  kj::Own<Impl> impl;
};

}  // namespace gavel::client::cli
