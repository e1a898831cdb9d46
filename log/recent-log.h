#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "log/batch.h"

namespace gavel {

// The newest part of a node's log, in memory: at least what is not committed yet (R4), for applying
// and for resending to a successor.
//
// Invariant: batches are contiguous from start() to end(), each following the one before.
// Pure state: no clock, I/O or promises.
class RecentLog {
public:
  explicit RecentLog(Position start = {}): start_(start) {}

  const Position& start() const { return start_; }
  Position end() const { return batches.empty() ? start_ : batches.back()->end(); }
  std::size_t bytes() const { return bytes_; }
  // Of the batches after the one that ends at `index`, or of all if none here does.
  std::size_t bytesAfter(std::uint64_t index) const;

  // Throws FAILED, changing nothing, unless the batch follows end() (R4).
  void append(BatchPtr batch);

  // The batch that begins right after `index`; null at the end.  Throws FAILED if `index` is
  // outside of [start, end] or inside of a batch.
  BatchPtr after(std::uint64_t index) const;

  // Whether `position` is a batch's end in this log, or its start.
  bool contains(const Position& position) const;

  // The last position in this log with neither epoch nor index above those of `limit`; none if even
  // start() is.  A log of which `limit` is the end shares nothing with this one behind it (R9).
  std::optional<Position> lastWithin(const Position& limit) const;

  // The position with that index.  Throws FAILED if it is inside of a batch, or outside of the log.
  Position at(std::uint64_t index) const;

  // Whether the batches behind `index` and up to `upTo` are all here, and at most `bytes` of them.
  bool holdsWithin(std::uint64_t index, std::uint64_t upTo, std::size_t bytes) const;

  // Drops batches up to and including `index` from the front, but keeps the newest `keepBytes`.
  void trim(std::uint64_t index, std::size_t keepBytes);

private:
  Position start_;
  std::deque<BatchPtr> batches;
  // Of each, how many bytes were appended before it, so that a sum over some is a difference.
  std::deque<std::uint64_t> before;
  std::uint64_t appended = 0;
  std::size_t bytes_ = 0;
};

}  // namespace gavel
