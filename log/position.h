#pragma once

#include <cstdint>

#include "schema/log.capnp.h"

namespace gavel {

// A point in a log where a batch ends.  All three 0: the point before the first entry.  Epoch 0
// with an index: where the log of a cluster begins that was restored from a backup.  Equal
// positions mean equal logs up to there, since checksums are chained (log.capnp).
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
