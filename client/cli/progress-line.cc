#include "client/cli/progress-line.h"

#include <cstdio>
#include <unistd.h>

namespace gavel::client::cli {

ProgressLine::ProgressLine(const Printer& print)
    : wanted_(isatty(STDERR_FILENO) != 0 && !print.quiet) {}

void ProgressLine::show(const std::string& text) {
  if (!wanted_) return;
  std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
  std::fflush(stderr);
  shown = true;
}

void ProgressLine::clear() {
  if (!shown) return;
  std::fprintf(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown = false;
}

}  // namespace gavel::client::cli
