#pragma once

#include <cstdint>

namespace gavel::master {

// A point in a log: the end of a batch (log.capnp).
struct Position {
  std::uint64_t epoch = 0;
  std::uint64_t index = 0;
  std::uint64_t checksum = 0;

  bool operator==(const Position&) const = default;
};

// A position that is known to be committed (R11): what any log that goes on after an outage has to
// hold.
struct Bound {
  Position at;
  std::uint64_t madeIn = 0;  // The epoch in which that was heard; 0: nothing is known.

  bool operator==(const Bound&) const = default;

  // Whether no operator's order has given entries up since; `restartedIn` is the epoch of the last.
  bool counts(std::uint64_t restartedIn) const { return madeIn != 0 && madeIn >= restartedIn; }

  // Whether a log that ends at `end` can hold it, as far as the end tells.
  bool within(const Position& end) const {
    return at.index < end.index || at == end || at.index == 0;
  }

  // The higher one of those that count.
  static Bound highest(const Bound& left, const Bound& right, std::uint64_t restartedIn) {
    bool a = left.counts(restartedIn);
    bool b = right.counts(restartedIn);
    if (!a || !b) return a ? left : b ? right : Bound();
    return left.at.index >= right.at.index ? left : right;
  }
};

}  // namespace gavel::master
