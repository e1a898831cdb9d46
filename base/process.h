#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>

namespace gavel {

// Lets this process open as many files as the system allows it, and returns how many that is.
unsigned raiseFileLimit();

// CPU time that a process has used so far; null if there is none with that id.
kj::Maybe<kj::Duration> cpuTimeOf(int pid);

// To be called in main() before the event loop exists.
void captureStopSignals();

// This thread's event loop, sockets and timers.  One that is never idle looks for other events and
// at its clock all the same: KJ's own would not, so that calls time out that have only just been
// made, and signs of life are neither given nor taken.
kj::AsyncIoContext setUpEventLoop();

// Resolves with the signal's number on SIGINT or SIGTERM.
kj::Promise<int> onStopSignal(kj::UnixEventPort& port);

}  // namespace gavel
