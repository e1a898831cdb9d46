#pragma once

#include <string>

#include "client/cli/output.h"

namespace gavel::client::cli {

// One line on the terminal that is overwritten again and again.  Prints nothing if stderr is no
// terminal, or with --quiet.
class ProgressLine {
public:
  explicit ProgressLine(const Printer& print);
  ~ProgressLine() noexcept(false) { clear(); }
  KJ_DISALLOW_COPY(ProgressLine);

  bool wanted() const { return wanted_; }
  void show(const std::string& text);
  // Clears the line.  To be called before anything else is printed.
  void clear();

private:
  const bool wanted_;
  bool shown = false;
};

}  // namespace gavel::client::cli
