#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <kj/async-io.h>
#include <kj/memory.h>
#include <kj/time.h>

// Load on a server, and what it bears.
namespace gavel::bench {

// One client: belongs to a thread of its own and to that thread's event loop.
class Caller {
public:
  virtual ~Caller() noexcept(false) = default;

  // One call.  Rejects if the answer is not as it should be, which ends the measurement.
  virtual kj::Promise<void> call() = 0;
};

// Called in the new client's thread; may wait there until it is connected.
using MakeCaller = std::function<kj::Own<Caller>(kj::AsyncIoContext&)>;

struct Load {
  unsigned clients = 1;
  // Calls under way at any moment, of all clients together.
  unsigned inFlight = 64;
  // Before anything is counted.
  kj::Duration warmUp = 200 * kj::MILLISECONDS;
  kj::Duration time = 2 * kj::SECONDS;
};

struct Measured {
  double perSecond = 0;
  // From the moment a call is made to that at which its answer is there.
  kj::Duration p50 = 0 * kj::SECONDS;
  kj::Duration p99 = 0 * kj::SECONDS;

  // All that were made, and the CPU time that the clients took for them.
  std::uint64_t calls = 0;
  kj::Duration clientCpu = 0 * kj::SECONDS;
};

// Makes calls for as long as `load` says: each that is answered is followed by another one.  The
// event loop of `io` runs meanwhile.  Throws what a call was rejected with.
Measured measure(kj::AsyncIoContext& io, const MakeCaller& make, const Load& load);

// The value of which a share `which`, from 0 to 1, is lower; 0 of none.  Reorders them.
kj::Duration quantile(std::vector<std::int64_t>& nanoseconds, double which);

// CPU time of the whole machine since it was started.
struct MachineTime {
  kj::Duration used = 0 * kj::SECONDS;  // By all processes, and by other machines of this host.
  kj::Duration total = 0 * kj::SECONDS;
};
MachineTime machineTime();

}  // namespace gavel::bench
