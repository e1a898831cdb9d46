#pragma once

#include <cstdint>

namespace gavel {

// The wall clock and the time since boot.  Injected, so that a simulation can move either.
class SystemClock {
public:
  virtual ~SystemClock() noexcept(false) = default;

  // Nanoseconds since the Unix epoch.  An administrator or NTP may step it at any time.
  virtual std::int64_t wall() const = 0;
  // Nanoseconds since boot, suspension included (CLOCK_BOOTTIME).  It never goes backwards.
  virtual std::int64_t sinceBoot() const = 0;
};

class RealClock final: public SystemClock {
public:
  std::int64_t wall() const override;
  std::int64_t sinceBoot() const override;
};

}  // namespace gavel
