#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "log/batch.h"

namespace gavel {

// The size and length of the log from some of its points to its end.  That is enough to decide
// where a log may begin without knowing every batch.
//
// Pure state: no clock, I/O or promises.
class LogWindow {
public:
  // The log is to keep its newest `bytes` bytes or `entries` entries, whichever is less.
  LogWindow(std::uint64_t bytes, std::uint64_t entries): maxBytes(bytes), maxEntries(entries) {}

  // The log is empty, and begins at `position`.
  void reset(const Position& position) {
    marks.assign(1, {position, 0});
    end_ = position;
    total = 0;
  }
  // The log grows by `bytes`, up to `position`.
  void grow(const Position& position, std::uint64_t bytes) {
    total += bytes;
    end_ = position;
    auto& last = marks.back();
    if (total - last.before >= step(maxBytes) || end_.index - last.at.index >= step(maxEntries)) {
      marks.push_back({position, total});
    }
  }
  // The log is cut, and ends at `position`.
  void cut(const Position& position) {
    while (marks.size() > 1 && marks.back().at.index > position.index) marks.pop_back();
    total = marks.back().before;  // Too little, by about one step at most.
    end_ = position;
  }
  // The log begins at `position`.
  void truncate(const Position& position) {
    while (marks.size() > 1 && marks[1].at.index <= position.index) marks.pop_front();
    marks.front().at = position;
  }

  const Position& start() const { return marks.front().at; }
  const Position& end() const { return end_; }
  // About how many bytes are between start and end.
  std::uint64_t bytes() const { return total - marks.front().before; }

  // Returns the earliest mark that is within both bounds and not after `needed`.  If there is none,
  // returns the last position up to `needed` among the marks and `latest`.  If even the start is
  // after `needed`, returns the start.
  Position startWithin(const Position& latest, std::uint64_t needed) const {
    const Position* best = &marks.front().at;
    for (auto& mark: marks) {
      if (mark.at.index > needed) break;
      best = &mark.at;
      if (total - mark.before <= maxBytes && end_.index - mark.at.index <= maxEntries) return *best;
    }
    return latest.index <= needed && latest.index > best->index ? latest : *best;
  }

private:
  struct Mark {
    Position at;
    std::uint64_t before;  // Bytes of the log before this point.
  };
  // The distance between marks: a small part of the whole.
  static std::uint64_t step(std::uint64_t bound) { return std::max<std::uint64_t>(bound / 16, 1); }

  std::uint64_t maxBytes, maxEntries;
  std::deque<Mark> marks{{Position(), 0}};
  Position end_;
  std::uint64_t total = 0;
};

}  // namespace gavel
