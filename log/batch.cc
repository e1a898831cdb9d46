#include "log/batch.h"

#include <cstring>
#include <limits>
#include <xxhash.h>

#include <capnp/message.h>
#include <kj/debug.h>

namespace gavel {
namespace {

constexpr std::size_t WORD = sizeof(capnp::word);

// The size of a bid's entry with names of ordinary length.  A wrong guess costs a second segment.
constexpr unsigned WORDS_PER_ENTRY = 32;

std::uint64_t checksumOf(kj::ArrayPtr<const capnp::word> message, std::uint64_t previousChecksum) {
  auto bytes = message.asBytes();
  return XXH3_64bits_withSeed(bytes.begin(), bytes.size(), previousChecksum);
}

capnp::ReaderOptions unlimited() {
  // Limited by the size of the batch, which the RPC layer limits.  Each replay reads
  // the batch again.
  capnp::ReaderOptions options;
  options.traversalLimitInWords = std::numeric_limits<std::uint64_t>::max();
  return options;
}

}  // namespace

BatchPtr Batch::make(std::uint64_t epoch, Position previous,
                     std::span<const auction::Entry> entries) {
  KJ_REQUIRE(!entries.empty());
  KJ_REQUIRE(epoch >= previous.epoch, epoch, previous.epoch);
  capnp::MallocMessageBuilder builder(
      static_cast<unsigned>(WORDS_PER_ENTRY * (entries.size() + 1)));
  auto root = builder.initRoot<schema::Batch>();
  root.setEpoch(epoch);
  root.setFirstIndex(previous.index + 1);
  root.setPreviousEpoch(previous.epoch);
  root.setPreviousChecksum(previous.checksum);
  auto list = root.initEntries(static_cast<unsigned>(entries.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    KJ_REQUIRE(entries[i].index == previous.index + 1 + i, entries[i].index, previous.index, i);
    encodeEntry(entries[i], list[i]);
  }

  auto segments = builder.getSegmentsForOutput();
  auto words = kj::heapArray<capnp::word>(1 + capnp::computeSerializedSizeInWords(segments));
  auto message = words.slice(1, words.size());
  kj::ArrayOutputStream output(message.asBytes());
  capnp::writeMessage(output, segments);
  auto checksum = checksumOf(message, previous.checksum);
  std::memcpy(words.asBytes().begin(), &checksum, WORD);
  return std::make_shared<const Batch>(kj::mv(words));
}

BatchPtr Batch::parse(kj::ArrayPtr<const kj::byte> bytes) {
  KJ_REQUIRE(bytes.size() > WORD && bytes.size() % WORD == 0, "a batch of an impossible size",
             bytes.size());
  auto words = kj::heapArray<capnp::word>(bytes.size() / WORD);
  std::memcpy(words.asBytes().begin(), bytes.begin(), bytes.size());
  auto batch = std::make_shared<const Batch>(kj::mv(words));
  auto actual = checksumOf(batch->words.slice(1, batch->words.size()), batch->previous_.checksum);
  KJ_REQUIRE(actual == batch->checksum_, "a batch with a wrong checksum: damaged", batch->epoch_,
             batch->previous_.index, batch->checksum_, actual);
  KJ_REQUIRE(batch->count_ > 0 && batch->firstIndex() > 0 && batch->epoch_ > 0 &&
                 batch->epoch_ >= batch->previous_.epoch,
             "a batch that breaks the log's rules", batch->epoch_, batch->previous_.epoch,
             batch->count_);
  return batch;
}

Batch::Batch(kj::Array<capnp::word> words)
    : words(kj::mv(words)),
      reader(this->words.slice(1, this->words.size()), unlimited()),
      message_(reader.getRoot<schema::Batch>()),
      epoch_(message_.getEpoch()),
      count_(message_.getEntries().size()),
      previous_{message_.getPreviousEpoch(), message_.getFirstIndex() - 1,
                message_.getPreviousChecksum()} {
  std::memcpy(&checksum_, this->words.begin(), WORD);
}

}  // namespace gavel
