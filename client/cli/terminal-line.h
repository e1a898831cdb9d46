#pragma once

#include <string>

#include "client/cli/context.h"

namespace gavel::client::cli {

// Whether there is somebody to ask: standard input is a terminal.
bool canAsk();

// Asks a question on standard error and reads a line from the terminal, without its end; empty at
// the end of input.  The question is printed even with --quiet.
kj::Promise<std::string> askOnTerminal(Context& context, const std::string& question);

}  // namespace gavel::client::cli
