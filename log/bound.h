#pragma once

#include <cstdint>

#include "log/position.h"
#include "schema/topology.capnp.h"

namespace gavel {

// A position that is known to be committed (R11).  Any log that goes on after an outage has to hold
// it, and so does any chain that takes in a node which knows it.
//
// Invariant of a node's own bound: when it is made, `at` is not above the node's durable index.
// Later the durable index may fall below it: when a node drops what an operator's `recover` gave
// up, or drops everything for a snapshot and has not taken it in yet.
struct Bound {
  Position at;
  std::uint64_t madeIn = 0;  // The epoch in which it was heard; 0: no position is known.

  bool operator==(const Bound&) const = default;

  // Whether no operator's order has given entries up since.  `restartedIn` is the epoch of the last
  // order, 0 if there was none.
  bool counts(std::uint64_t restartedIn) const { return madeIn != 0 && madeIn >= restartedIn; }

  // Whether a log that ends at `end` can hold it, as far as the end alone shows.
  bool within(const Position& end) const {
    return at.index < end.index || at == end || at.index == 0;
  }

  // The higher one of those that count; the empty one if neither counts.
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
