#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <kj/array.h>
#include <kj/common.h>

#include "base/file-system.h"
#include "log/batch.h"

namespace gavel {

// What a segment says of itself in its first page.
struct SegmentHeader {
  std::uint64_t storeId = 0;
  std::uint64_t generation = 0;  // That of the process that began it.
  std::uint64_t number = 0;      // Higher than that of every segment before it; decides the order.
  std::uint64_t cuts = 0;        // How often the log was cut, with the cut that began this segment.
  Position start;                // The first batch follows this position.

  bool operator==(const SegmentHeader&) const = default;
};

// One file of the log on disk.  It holds batches that follow each other, as they
// are sent (log.capnp).
//
//   offset  size
//        0     8  magic "gavllog1"
//        8    56  the fields of SegmentHeader in order; of the start its epoch, index and checksum
//       64     8  XXH3-64 of bytes 0 to 63
//       72  4024  zeros
//     4096        frames, one after the other
//
//   a frame:
//        0     8  checksum of the frame: XXH3-64 of the batch
//        8     8  length of the batch in bytes, its own checksum included; a multiple of 8
//       16        the batch: its checksum, then its message
//
// The seed of a frame's checksum is the header's checksum + the length, modulo 2^64.  A file that
// is used again holds frames of its former use, and the seed shows that these do not count.
//
// All integers have 8 bytes, as the machine has them in memory: for little-endian machines only.
//
// The space of a segment is allocated when it is made, so that a sync need not change
// the file's size.
class Segment {
public:
  static constexpr std::uint64_t FIRST_FRAME = 4096;

  // Opens the file at `path`, and makes it if it is missing.  All methods throw FAILED with the
  // file's name, or OVERLOADED if there is no room.
  explicit Segment(std::string path, FileSystem& files = machineFiles());
  KJ_DISALLOW_COPY(Segment);

  const std::string path;

  // Makes the file at least `size` bytes long, durably.
  void reserve(std::uint64_t size);
  std::uint64_t size() const;
  // Reads the header; null if there is no sound one.
  kj::Maybe<SegmentHeader> readHeader() const;

  // These append what is to be written to `bytes`.  The first returns the seed of the
  // frames that follow.
  static std::uint64_t encode(const SegmentHeader& header, std::string& bytes);
  static void encodeFrame(std::uint64_t seed, const Batch& batch, std::string& bytes);
  static void encodeFrame(std::uint64_t seed, kj::ArrayPtr<const kj::byte> batch,
                          std::string& bytes);
  static std::uint64_t frameSize(const Batch& batch);

  // Does not wait for the disk.
  void write(std::uint64_t offset, const std::string& bytes);
  // Make durable what was written: sync() the bytes, syncAll() also what the file system knows of
  // the file.
  void sync();
  void syncAll();
  // Overwrites everything after `offset` with zeros, whatever it reads as.
  void clearAfter(std::uint64_t offset);
  // Returns how many bytes there were to read.
  std::size_t read(std::uint64_t offset, kj::ArrayPtr<kj::byte> into) const;

private:
  const std::unique_ptr<File> file;
};

// Reads the frames of a segment in order.
class FrameReader {
public:
  // Reads from `offset` up to `end`.  The segment outlives this object.
  FrameReader(const Segment& segment, std::uint64_t seed, std::uint64_t offset, std::uint64_t end)
      : segment(segment), seed(seed), offset_(offset), end(end) {}
  KJ_DISALLOW_COPY(FrameReader);

  // The batch in the next frame, valid until the next call; null at the end, and where the next
  // frame is not sound.
  kj::Maybe<kj::ArrayPtr<const kj::byte>> next();
  // The offset after the last sound frame.
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
