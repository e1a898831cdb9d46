#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>

namespace gavel {

// Lets this process open as many files as the system allows, and returns how many, at most 2^20.
unsigned raiseFileLimit();

// Returns the CPU time that a process has used so far; null if no process has that id.
kj::Maybe<kj::Duration> cpuTimeOf(int pid);

// Must be called in main() before the event loop exists.
void captureStopSignals();

// Makes this thread's event loop, sockets and timers.  The loop looks at its clock and for new
// events even when it is never idle.  KJ's default does not: then calls time out that were only
// just made, and heartbeats are neither sent nor received.
kj::AsyncIoContext setUpEventLoop();

// Resolves with the signal's number on SIGINT or SIGTERM.
kj::Promise<int> onStopSignal(kj::UnixEventPort& port);

}  // namespace gavel
