#pragma once

#include <cstdint>

namespace gavel {

// Wall clock and time since boot.  Injected, so that a simulation can move either.
class SystemClock {
public:
  virtual ~SystemClock() noexcept(false) = default;

  // Nanoseconds since the Unix epoch; may be stepped by an administrator or NTP at any time.
  virtual std::int64_t wall() const = 0;
  // Nanoseconds since boot, suspension included; never goes backwards (CLOCK_BOOTTIME).
  virtual std::int64_t sinceBoot() const = 0;
};

class RealClock final: public SystemClock {
public:
  std::int64_t wall() const override;
  std::int64_t sinceBoot() const override;
};

}  // namespace gavel
