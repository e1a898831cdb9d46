#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <stdio.h>
#include <stdlib.h>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <kj/async-io.h>

namespace gavel::cluster {

// A test that draws its actions and times from a seed, which it prints.
class Seeded: public ::testing::Test {
protected:
  Seeded() {
    const char* given = getenv("GAVEL_SEED");
    auto seed = given != nullptr ? strtoull(given, nullptr, 10) : std::random_device()();
    engine.seed(seed);
    printf("seed %llu (repeat with GAVEL_SEED)\n", static_cast<unsigned long long>(seed));
  }
  ~Seeded() noexcept override = default;

  // Draws a number in [0, count - 1].
  std::size_t draw(std::size_t count) {
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(engine);
  }
  bool chance(double probability) { return std::bernoulli_distribution(probability)(engine); }
  kj::Duration drawUpTo(kj::Duration most) {
    auto microseconds = most / kj::MICROSECONDS;
    return std::uniform_int_distribution<std::int64_t>(0, microseconds)(engine) * kj::MICROSECONDS;
  }
  template <typename T>
  void shuffle(std::vector<T>& items) {
    std::shuffle(items.begin(), items.end(), engine);
  }

  kj::AsyncIoContext io = kj::setupAsyncIo();
  std::mt19937_64 engine;
};

// Durations, for a line that summarizes a test.
class Times {
public:
  void add(kj::Duration time) { values.push_back(time / kj::MICROSECONDS / 1000.0); }
  std::size_t count() const { return values.size(); }
  double max() const {
    return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  }
  // "p50 12.3 ms, max 45.6 ms".
  std::string text() const {
    if (values.empty()) return "none";
    auto sorted = values;
    std::sort(sorted.begin(), sorted.end());
    char text[64];
    snprintf(text, sizeof(text), "p50 %.1f ms, max %.1f ms", sorted[sorted.size() / 2],
             sorted.back());
    return text;
  }

private:
  std::vector<double> values;
};

// Reads the clock itself, since that of the event loop stands still within a turn.
inline kj::TimePoint clockNow() {
  return kj::systemPreciseMonotonicClock().now();
}

}  // namespace gavel::cluster
