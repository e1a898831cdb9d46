#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <kj/async-io.h>
#include <kj/memory.h>
#include <kj/time.h>

// Puts load on a server and measures what it bears.
namespace gavel::bench {

// One client.  It belongs to one thread and the event loop of that thread.
class Caller {
public:
  virtual ~Caller() noexcept(false) = default;

  // Makes one call.  Rejects if the answer is wrong, which ends the measurement.
  virtual kj::Promise<void> call() = 0;
};

// Makes a client in its own thread, and may wait there until it is connected.
using MakeCaller = std::function<kj::Own<Caller>(kj::AsyncIoContext&)>;

struct Load {
  unsigned clients = 1;
  // Calls under way, of all clients together.
  unsigned inFlight = 64;
  // The time before counting begins.
  kj::Duration warmUp = 200 * kj::MILLISECONDS;
  kj::Duration time = 2 * kj::SECONDS;
};

struct Measured {
  double perSecond = 0;
  // The time from a call to its answer.
  kj::Duration p50 = 0 * kj::SECONDS;
  kj::Duration p99 = 0 * kj::SECONDS;

  // All calls that were made, and the CPU time that the clients took for them.
  std::uint64_t calls = 0;
  kj::Duration clientCpu = 0 * kj::SECONDS;
};

// Makes calls for as long as `load` says.  Each answer is followed by another call.  The event loop
// of `io` runs meanwhile.  Throws the rejection of a call.
Measured measure(kj::AsyncIoContext& io, const MakeCaller& make, const Load& load);

// The value below which the share `which` (in [0, 1]) of all values lies; 0 if there are none.
// Reorders them.
kj::Duration quantile(std::vector<std::int64_t>& nanoseconds, double which);

// CPU time of the whole machine since it was started.
struct MachineTime {
  kj::Duration used = 0 * kj::SECONDS;  // By all processes, and by other machines on this host.
  kj::Duration total = 0 * kj::SECONDS;
};
MachineTime machineTime();

}  // namespace gavel::bench
