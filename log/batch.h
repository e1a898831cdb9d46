#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

#include <capnp/serialize.h>
#include <kj/array.h>

#include "auction/command.h"
#include "log/entry-codec.h"
#include "log/position.h"
#include "schema/log.capnp.h"

namespace gavel {

class Batch;
// Shared with the storage thread, which reads only bytes().
using BatchPtr = std::shared_ptr<const Batch>;

// The unit of replication: entries with consecutive indexes that the head made in one
// turn.  Immutable, and kept as the very bytes that are sent and stored.  The format is
// Batch of log.capnp.
class Batch {
public:
  // Encodes `entries`: at least one, with indexes from previous.index + 1 on.
  static BatchPtr make(std::uint64_t epoch, Position previous,
                       std::span<const auction::Entry> entries);

  // Reads bytes from a peer or from disk, and copies them.  Throws FAILED, with what is wrong, if
  // they are not a batch or their checksum does not match.
  static BatchPtr parse(kj::ArrayPtr<const kj::byte> bytes);

  // For make() and parse() only: `words` is the framed batch.
  explicit Batch(kj::Array<capnp::word> words);
  KJ_DISALLOW_COPY(Batch);

  kj::ArrayPtr<const kj::byte> bytes() const { return words.asBytes(); }
  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t firstIndex() const { return previous_.index + 1; }
  std::uint64_t lastIndex() const { return previous_.index + count_; }
  // The position that this batch follows, and the one at its end.
  const Position& previous() const { return previous_; }
  Position end() const { return {epoch_, lastIndex(), checksum_}; }
  // The stamp of its last entry.
  auction::Stamp lastStamp() const {
    auto entries = message_.getEntries();
    return entries[entries.size() - 1].getStamp();
  }

  // Calls `visit` with each entry in order.  Texts in the entry live as long as the batch.
  template <typename Visitor>
  void forEach(Visitor&& visit) const {
    forSome(firstIndex(), count_, visit);
  }
  // Does the same for the entries from index `first` on, at most `most` of them.  `first` is not
  // below firstIndex().
  template <typename Visitor>
  void forSome(std::uint64_t first, std::uint64_t most, Visitor&& visit) const {
    auto entries = message_.getEntries();
    auto begin = static_cast<unsigned>(first - firstIndex());
    auto end = begin + static_cast<unsigned>(std::min<std::uint64_t>(most, entries.size() - begin));
    for (auto i = begin; i < end; ++i) visit(decodeEntry(entries[i], firstIndex() + i));
  }

private:
  // The checksum in the first word, then the message, in one aligned array.
  kj::Array<capnp::word> words;
  mutable capnp::FlatArrayMessageReader reader;
  schema::Batch::Reader message_;
  std::uint64_t epoch_;
  std::uint64_t checksum_;
  std::uint64_t count_;
  Position previous_;
};

}  // namespace gavel
