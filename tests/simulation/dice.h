#pragma once

#include <cstdint>
#include <string_view>

#include <kj/time.h>

#include "base/random.h"

namespace gavel::simulation {

// Numbers drawn from a seed (splitmix64: Steele et al., OOPSLA 2014).  Everything that a simulation
// decides comes from one of these, so a seed is a run.
class Dice final: public Random {
public:
  explicit Dice(std::uint64_t seed): state(seed) {}

  std::uint64_t next() override {
    state += 0x9e3779b97f4a7c15;
    auto z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // Another source, whose numbers do not depend on how many are drawn from this one later.
  Dice fork() { return Dice(next()); }

  // A number in [0, count - 1].
  std::uint64_t below(std::uint64_t count) { return next() % count; }
  // A number in [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  kj::Duration between(kj::Duration low, kj::Duration high) {
    return between(low / kj::NANOSECONDS, high / kj::NANOSECONDS) * kj::NANOSECONDS;
  }
  bool chance(double probability) {
    return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
  }
  // Much more often short than long: each doubling between low and high has the same probability.
  kj::Duration skewed(kj::Duration low, kj::Duration high) {
    auto reach = low;
    unsigned doublings = 0;
    while (reach < high) {
      reach *= 2;
      ++doublings;
    }
    auto base = low * (std::int64_t(1) << below(doublings + 1));
    return between(low, base < high ? base : high);
  }

private:
  std::uint64_t state;
};

}  // namespace gavel::simulation
