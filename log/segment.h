#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <kj/array.h>
#include <kj/common.h>

#include "base/file-system.h"
#include "log/batch.h"

namespace gavel {

// What a segment says of itself.
struct SegmentHeader {
  std::uint64_t storeId = 0;
  std::uint64_t generation = 0;  // Of the process that began it.
  std::uint64_t number = 0;      // Counts up; no two segments of a process have the same.
  std::uint64_t cuts = 0;        // How often the log had been cut when it was begun.
  Position start;                // What its first batch follows.

  bool operator==(const SegmentHeader&) const = default;
};

// One file of the log on disk, which holds batches that follow each other, as they were sent
// (log.capnp):
//
//   header    magic, the fields of SegmentHeader in order, XXH3-64 of all that; padded to a page
//   frames    checksum and length (8 bytes each), then a batch; again and again
//
// All integers are little-endian.  The checksum of a frame is XXH3-64 of its batch, seeded with the
// sum of the header's checksum and the length: a file that is used again holds frames of its former
// use, which must not count.
//
// Its space is allocated when it is made, so that syncing what is written into it need not change
// its size.
class Segment {
public:
  static constexpr std::uint64_t FIRST_FRAME = 4096;

  // Opens the file at `path`, making it if it is missing.  All throw FAILED, or OVERLOADED where
  // there is no room, naming the file.
  explicit Segment(std::string path, FileSystem& files = machineFiles());
  KJ_DISALLOW_COPY(Segment);

  const std::string path;

  // Sees to it that the file has `size` bytes at least, durably.
  void reserve(std::uint64_t size);
  std::uint64_t size() const;
  // Reads the header; null if there is none that is sound.
  kj::Maybe<SegmentHeader> readHeader() const;

  // Appends what is to be written to `bytes`, and returns the seed for the frames that follow.
  static std::uint64_t encode(const SegmentHeader& header, std::string& bytes);
  static void encodeFrame(std::uint64_t seed, const Batch& batch, std::string& bytes);
  static void encodeFrame(std::uint64_t seed, kj::ArrayPtr<const kj::byte> batch,
                          std::string& bytes);
  static std::uint64_t frameSize(const Batch& batch);

  // Without waiting for the disk.
  void write(std::uint64_t offset, const std::string& bytes);
  // Makes durable what was written; syncAll() with all there is to know of the file.
  void sync();
  void syncAll();
  // Overwrites with zeros what there is after `offset`, whatever it reads as.
  void clearAfter(std::uint64_t offset);
  // Returns how much there was to read.
  std::size_t read(std::uint64_t offset, kj::ArrayPtr<kj::byte> into) const;

private:
  const std::unique_ptr<File> file;
};

// Reads the frames of a segment in order.
class FrameReader {
public:
  // From `offset` up to `end`.  The segment outlives this object.
  FrameReader(const Segment& segment, std::uint64_t seed, std::uint64_t offset, std::uint64_t end)
      : segment(segment), seed(seed), offset_(offset), end(end) {}
  KJ_DISALLOW_COPY(FrameReader);

  // The batch in the next frame, valid until the next call; null at the end, and also where no
  // sound frame is.
  kj::Maybe<kj::ArrayPtr<const kj::byte>> next();
  // After the last frame that was sound.
  std::uint64_t offset() const { return offset_; }

private:
  const Segment& segment;
  const std::uint64_t seed;
  std::uint64_t offset_;
  const std::uint64_t end;
  kj::Array<kj::byte> buffer;
  std::uint64_t bufferOffset = 0;
  std::size_t buffered = 0;

  kj::ArrayPtr<const kj::byte> look(std::size_t bytes);
};

}  // namespace gavel
