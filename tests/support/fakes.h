#pragma once

#include <filesystem>
#include <random>
#include <stdlib.h>
#include <string>

#include "base/clock.h"
#include "base/random.h"

namespace gavel::testing {

// A clock that the test moves.
class ManualClock final: public SystemClock {
public:
  std::int64_t wallNow = 1'700'000'000'000'000'000;
  std::int64_t bootNow = 5'000'000'000;

  std::int64_t wall() const override { return wallNow; }
  std::int64_t sinceBoot() const override { return bootNow; }

  void advance(std::int64_t nanoseconds) {
    wallNow += nanoseconds;
    bootNow += nanoseconds;
  }
};

class SeededRandom final: public Random {
public:
  explicit SeededRandom(std::uint64_t seed): engine(seed) {}
  std::uint64_t next() override { return engine(); }

private:
  std::mt19937_64 engine;
};

// A directory that is removed with everything in it.
class TemporaryDirectory {
public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gavel-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

private:
  std::string path_;
};

}  // namespace gavel::testing
