#pragma once

#include <string>

#include "client/cli/context.h"

namespace gavel::client::cli {

// Whether there is somebody who can be asked: standard input is a terminal.
bool canAsk();

// Asks a question on standard error and reads a line from the terminal, without its end; empty at
// the end of input.  Also with --quiet: whoever is asked must see what about.
kj::Promise<std::string> askOnTerminal(Context& context, const std::string& question);

}  // namespace gavel::client::cli
