#include "log/segment.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>
#include <xxhash.h>

#include "base/planted.h"

namespace gavel {
namespace {

constexpr std::uint64_t MAGIC = 0x31676f6c6c766167;  // "gavllog1"
constexpr std::size_t READ_BYTES = 64 * 1024;

struct FrameHead {
  std::uint64_t checksum;
  std::uint64_t length;
};

struct HeaderPage {
  std::uint64_t magic = MAGIC;
  std::uint64_t storeId = 0;
  std::uint64_t generation = 0;
  std::uint64_t number = 0;
  std::uint64_t cuts = 0;
  std::uint64_t epoch = 0;
  std::uint64_t index = 0;
  std::uint64_t batchChecksum = 0;
  std::uint64_t checksum = 0;

  std::uint64_t actualChecksum() const { return XXH3_64bits(this, offsetof(HeaderPage, checksum)); }
};
static_assert(sizeof(HeaderPage) == 9 * sizeof(std::uint64_t));

HeaderPage pageOf(const SegmentHeader& header) {
  HeaderPage page;
  page.storeId = header.storeId;
  page.generation = header.generation;
  page.number = header.number;
  page.cuts = header.cuts;
  page.epoch = header.start.epoch;
  page.index = header.start.index;
  page.batchChecksum = header.start.checksum;
  page.checksum = page.actualChecksum();
  return page;
}

std::uint64_t checksumOf(std::uint64_t seed, kj::ArrayPtr<const kj::byte> batch) {
  if (planted(Bug::takeStaleFrames)) seed = 0;
  return XXH3_64bits_withSeed(batch.begin(), batch.size(), seed + batch.size());
}

}  // namespace

Segment::Segment(std::string path_, FileSystem& files)
    : path(std::move(path_)), file(files.open(path, FileSystem::Missing::make)) {}

std::uint64_t Segment::size() const {
  return file->size();
}

void Segment::reserve(std::uint64_t bytes) {
  if (size() >= bytes) return;
  file->allocate(bytes);
  file->sync();
}

kj::Maybe<SegmentHeader> Segment::readHeader() const {
  HeaderPage page;
  auto bytes = kj::arrayPtr(reinterpret_cast<kj::byte*>(&page), sizeof(page));
  if (read(0, bytes) < sizeof(page) || page.magic != MAGIC) return nullptr;
  if (page.checksum != page.actualChecksum()) return nullptr;
  return SegmentHeader{page.storeId,
                       page.generation,
                       page.number,
                       page.cuts,
                       {page.epoch, page.index, page.batchChecksum}};
}

std::uint64_t Segment::encode(const SegmentHeader& header, std::string& bytes) {
  auto page = pageOf(header);
  bytes.append(reinterpret_cast<const char*>(&page), sizeof(page));
  bytes.append(FIRST_FRAME - sizeof(page), '\0');
  return page.checksum;
}

void Segment::encodeFrame(std::uint64_t seed, const Batch& batch, std::string& bytes) {
  encodeFrame(seed, batch.bytes(), bytes);
}

void Segment::encodeFrame(std::uint64_t seed, kj::ArrayPtr<const kj::byte> batch,
                          std::string& bytes) {
  FrameHead head{checksumOf(seed, batch), batch.size()};
  bytes.append(reinterpret_cast<const char*>(&head), sizeof(head));
  bytes.append(batch.asChars().begin(), batch.size());
}

std::uint64_t Segment::frameSize(const Batch& batch) {
  return sizeof(FrameHead) + batch.bytes().size();
}

void Segment::write(std::uint64_t offset, const std::string& bytes) {
  file->write(offset, bytesOfText(bytes));
}

void Segment::sync() {
  file->syncData();
}

void Segment::syncAll() {
  file->sync();
}

void Segment::clearAfter(std::uint64_t offset) {
  const std::string zeros(READ_BYTES, '\0');
  for (auto end = size(); offset < end; offset += READ_BYTES) {
    auto count = static_cast<std::size_t>(std::min<std::uint64_t>(READ_BYTES, end - offset));
    file->write(offset, bytesOfText(zeros).slice(0, count));
  }
}

std::size_t Segment::read(std::uint64_t offset, kj::ArrayPtr<kj::byte> into) const {
  return file->read(offset, into);
}

// The next `bytes` bytes, or all that are left.
kj::ArrayPtr<const kj::byte> FrameReader::look(std::size_t bytes) {
  auto have = [&]() { return static_cast<std::size_t>(bufferOffset + buffered - offset_); };
  if (buffer == nullptr || have() < bytes) {
    auto wanted = std::max(bytes, READ_BYTES);
    auto most = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, end - offset_));
    if (buffer.size() < most) buffer = kj::heapArray<kj::byte>(most);
    buffered = segment.read(offset_, buffer.slice(0, most));
    bufferOffset = offset_;
  }
  auto begin = static_cast<std::size_t>(offset_ - bufferOffset);
  return buffer.slice(begin, begin + std::min(bytes, have()));
}

kj::Maybe<kj::ArrayPtr<const kj::byte>> FrameReader::next() {
  if (end - offset_ < sizeof(FrameHead)) return nullptr;
  FrameHead head;
  auto bytes = look(sizeof(head));
  if (bytes.size() < sizeof(head)) return nullptr;
  std::memcpy(&head, bytes.begin(), sizeof(head));
  if (head.length == 0 || head.length > end - offset_ - sizeof(head)) return nullptr;
  auto whole = static_cast<std::size_t>(sizeof(head) + head.length);
  bytes = look(whole);
  if (bytes.size() < whole) return nullptr;
  auto batch = bytes.slice(sizeof(head), whole);
  if (checksumOf(seed, batch) != head.checksum) return nullptr;
  offset_ += whole;
  return batch;
}

}  // namespace gavel
