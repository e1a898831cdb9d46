#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "log/batch.h"

namespace gavel {

// The newest part of a node's log, in memory, for applying and for resending to a successor.  It
// has at least what is not committed yet (R4).
//
// Invariant: batches are contiguous from start() to end(); each follows the one before.
// Pure state: no clock, I/O or promises.
class RecentLog {
public:
  explicit RecentLog(Position start = {}): start_(start) {}

  const Position& start() const { return start_; }
  Position end() const { return batches.empty() ? start_ : batches.back()->end(); }
  std::size_t bytes() const { return bytes_; }
  // Bytes of the batches after the one that ends at `index`.
  std::size_t bytesAfter(std::uint64_t index) const;

  // Throws FAILED, and changes nothing, unless the batch follows end() (R4).
  void append(BatchPtr batch);

  // The batch that begins right after `index`; null at the end.  Throws FAILED if `index` is
  // outside of [start, end] or inside of a batch.
  BatchPtr after(std::uint64_t index) const;

  // Whether `position` is the end of a batch in this log, or its start.
  bool contains(const Position& position) const;

  // The last position in this log whose epoch and index are not above those of `limit`; none if
  // even start() is above.  A log that ends at `limit` shares nothing with this one after that
  // position (R9).
  std::optional<Position> lastWithin(const Position& limit) const;

  // The position with that index.  Throws FAILED if the index is inside of a batch or outside of
  // the log.
  Position at(std::uint64_t index) const;

  // Whether this log holds all batches after `index`, up to and including `upTo`, and they take at
  // most `bytes`.
  bool holdsWithin(std::uint64_t index, std::uint64_t upTo, std::size_t bytes) const;

  // Drops batches up to and including `index` from the front, but keeps at least
  // the newest `keepBytes`.
  void trim(std::uint64_t index, std::size_t keepBytes);

private:
  Position start_;
  std::deque<BatchPtr> batches;
  // Bytes appended before each batch, so that a sum over some batches is a difference.
  std::deque<std::uint64_t> before;
  std::uint64_t appended = 0;
  std::size_t bytes_ = 0;
};

}  // namespace gavel
