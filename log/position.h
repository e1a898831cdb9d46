#pragma once

#include <cstdint>

#include "schema/log.capnp.h"

namespace gavel {

// A point in a log: the end of a batch.  All zero: before the first.  Equal positions mean equal
// logs up to there, since checksums are chained (log.capnp).
struct Position {
  std::uint64_t epoch = 0;
  std::uint64_t index = 0;
  std::uint64_t checksum = 0;

  bool operator==(const Position&) const = default;
};

inline Position readPosition(schema::Position::Reader reader) {
  return {reader.getEpoch(), reader.getIndex(), reader.getChecksum()};
}

inline void writePosition(const Position& position, schema::Position::Builder builder) {
  builder.setEpoch(position.epoch);
  builder.setIndex(position.index);
  builder.setChecksum(position.checksum);
}

}  // namespace gavel
