#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>

namespace gavel {

// Lets this process open as many files as the system allows it, and returns how many that is.
unsigned raiseFileLimit();

// To be called in main() before the event loop exists.
void captureStopSignals();

// Resolves with the signal's number on SIGINT or SIGTERM.
kj::Promise<int> onStopSignal(kj::UnixEventPort& port);

}  // namespace gavel
