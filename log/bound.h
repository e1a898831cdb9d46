#pragma once

#include <cstdint>

#include "log/position.h"
#include "schema/topology.capnp.h"

namespace gavel {

// A position that is known to be committed (R11): what any log that goes on after an outage has to
// hold, and any chain that lets a node join which knows it.
//
// Invariant of those that a node keeps: `at` is never above its durable index.
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

inline Bound readBound(schema::Bound::Reader reader) {
  return {readPosition(reader.getAt()), reader.getMadeIn()};
}

inline void writeBound(const Bound& bound, schema::Bound::Builder builder) {
  writePosition(bound.at, builder.initAt());
  builder.setMadeIn(bound.madeIn);
}

}  // namespace gavel
