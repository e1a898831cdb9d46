#pragma once

#include <cstdint>

#include "chain/configuration.h"
#include "chain/position.h"

namespace gavel::chain {

// A position that a node knows to be committed (R11): what any log that goes on after an outage has
// to hold, and any chain that lets this node join.
//
// Invariant of those that a node keeps: `at` is never above its durable index.
struct Bound {
  Position at;
  // The epoch in which this node heard of the commit; 0: nothing is known.
  std::uint64_t madeIn = 0;

  bool operator==(const Bound&) const = default;

  // Whether no operator's order has given entries up since it was made.
  bool counts(const Configuration& configuration) const {
    return madeIn != 0 && madeIn >= configuration.restartedIn;
  }
};

inline Bound readBound(schema::Bound::Reader reader) {
  return {readPosition(reader.getAt()), reader.getMadeIn()};
}

inline void writeBound(const Bound& bound, schema::Bound::Builder builder) {
  writePosition(bound.at, builder.initAt());
  builder.setMadeIn(bound.madeIn);
}

}  // namespace gavel::chain
