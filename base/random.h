#pragma once

#include <cstdint>

namespace gavel {

// The source of ids and jitter.  Injected, so that a simulation can draw everything from one seed.
class Random {
public:
  virtual ~Random() noexcept(false) = default;

  virtual std::uint64_t next() = 0;

  // An id: never 0, which means "none" on the wire.
  std::uint64_t id() {
    for (;;) {
      if (std::uint64_t value = next(); value != 0) return value;
    }
  }
};

// The operating system's source.  next() throws if there is none.
class SystemRandom final: public Random {
public:
  std::uint64_t next() override;
};

}  // namespace gavel
