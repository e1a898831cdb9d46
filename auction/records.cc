#include "auction/records.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "auction/archive.h"

namespace gavel::auction {
namespace {

constexpr std::uint32_t REMOVED = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t ID_BYTES = 8;

void appendId(std::string& bytes, std::uint64_t id) {
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(id >> shift));
}

// Reads an id from the first 8 bytes.
std::uint64_t readId(std::string_view bytes) {
  std::uint64_t id = 0;
  for (const char byte: bytes.substr(0, ID_BYTES)) id = id << 8 | static_cast<std::uint8_t>(byte);
  return id;
}

std::string keyOf(RecordKind kind, std::uint64_t id) {
  std::string key(1, static_cast<char>(kind));
  appendId(key, id);
  return key;
}

template <class Value>
void append(const Value& value, std::string& bytes) {
  StringSink sink{bytes};
  Writer writer(sink);
  writer(value);
}

template <class Value>
Value readOnly(std::string_view bytes) {
  Reader reader(bytes);
  Value value;
  reader(value);
  reader.expectEnd();
  return value;
}

void appendSize(std::string& bytes, std::uint32_t size) {
  size = littleEndian(size);
  bytes.append(reinterpret_cast<const char*>(&size), sizeof(size));
}

std::uint32_t checkedSize(std::size_t size) {
  if (size >= REMOVED) throw std::length_error("a record of " + std::to_string(size) + " bytes");
  return static_cast<std::uint32_t>(size);
}

}  // namespace

std::string auctionKey(AuctionId id) {
  return keyOf(RecordKind::auction, id);
}
std::string bidderKey(BidderId id) {
  return keyOf(RecordKind::bidder, id);
}
std::string endedKey(AuctionId id) {
  return keyOf(RecordKind::endedAuction, id);
}
std::string versionsKey(AuctionId id, std::uint64_t last) {
  std::string key = keyOf(RecordKind::versions, id);
  appendId(key, last);
  return key;
}
std::string nameKey(std::string_view name) {
  std::string key(1, static_cast<char>(RecordKind::name));
  key += name;
  return key;
}
std::string sessionKey(std::uint64_t id) {
  return keyOf(RecordKind::session, id);
}

RecordKind kindOf(std::string_view key) {
  const std::size_t size = key.size();
  const auto kind = key.empty() ? RecordKind() : static_cast<RecordKind>(key.front());
  bool sound = false;
  switch (kind) {
    case RecordKind::auction:
    case RecordKind::bidder:
    case RecordKind::endedAuction:
    case RecordKind::session:
      sound = size == 1 + ID_BYTES;
      break;
    case RecordKind::versions:
      sound = size == 1 + 2 * ID_BYTES;
      break;
    case RecordKind::totals:
      sound = size == 1;
      break;
    case RecordKind::name:
      sound = size > 1 && size <= 1 + MAX_NAME_BYTES;
      break;
  }
  if (!sound) throw std::runtime_error("bad record: " + describeKey(key));
  return kind;
}

std::uint64_t idOf(std::string_view key) {
  if (key.size() < 1 + ID_BYTES) throw std::runtime_error("bad record: " + describeKey(key));
  return readId(key.substr(1));
}

std::string describeKey(std::string_view key) {
  std::string hex;
  for (const char byte: key) {
    hex += "0123456789abcdef"[static_cast<std::uint8_t>(byte) >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return "key 0x" + hex;
}

void encode(const Auction& auction, std::string& bytes) {
  append(auction, bytes);
}
void encode(const Bidder& bidder, std::string& bytes) {
  append(bidder, bytes);
}
void encode(const Session& session, std::string& bytes) {
  append(session, bytes);
}
void encode(std::span<const Version> versions, std::string& bytes) {
  append(versions, bytes);
}
void encode(const Totals& totals, std::string& bytes) {
  append(totals, bytes);
}
std::string encodeName(AuctionId id) {
  std::string bytes;
  appendId(bytes, id);
  return bytes;
}

Auction decodeAuction(std::string_view bytes) {
  return readOnly<Auction>(bytes);
}
Bidder decodeBidder(std::string_view bytes) {
  return readOnly<Bidder>(bytes);
}
Session decodeSession(std::string_view bytes) {
  return readOnly<Session>(bytes);
}
std::vector<Version> decodeVersions(std::string_view bytes) {
  return readOnly<std::vector<Version>>(bytes);
}
Totals decodeTotals(std::string_view bytes) {
  return readOnly<Totals>(bytes);
}
AuctionId decodeName(std::string_view bytes) {
  if (bytes.size() != ID_BYTES) {
    throw std::runtime_error("bad record at offset 0: an id of " + std::to_string(bytes.size()) +
                             " bytes");
  }
  return readId(bytes);
}

bool VersionsPage::add(std::string_view key, std::string_view value) {
  if (kindOf(key) != RecordKind::versions || idOf(key) != auction) return false;
  const std::uint64_t last = readId(key.substr(1 + ID_BYTES));
  const std::vector<Version> found = decodeVersions(value);
  const std::uint64_t next = first + versions_.size();
  if (found.size() > last) throw std::runtime_error("bad record: too much in " + describeKey(key));
  const std::uint64_t before = last - found.size();
  if (before >= next || last < next) return false;
  const std::size_t from = next - before - 1;
  const std::size_t wanted = std::min<std::uint64_t>(found.size() - from, count - versions_.size());
  const auto begin = found.begin() + static_cast<std::ptrdiff_t>(from);
  versions_.insert(versions_.end(), begin, begin + static_cast<std::ptrdiff_t>(wanted));
  return true;
}

std::size_t RecordWriter::begin(std::string_view key) {
  appendSize(bytes, checkedSize(key.size()));
  bytes += key;
  appendSize(bytes, 0);
  return bytes.size();
}

void RecordWriter::end(std::size_t start) {
  const std::uint32_t size = littleEndian(checkedSize(bytes.size() - start));
  std::memcpy(bytes.data() + start - sizeof(size), &size, sizeof(size));
}

void RecordWriter::put(std::string_view key, std::string_view value) {
  const std::size_t start = begin(key);
  bytes += value;
  end(start);
}

void RecordWriter::remove(std::string_view key) {
  appendSize(bytes, checkedSize(key.size()));
  bytes += key;
  appendSize(bytes, REMOVED);
}

std::optional<RecordReader::Record> RecordReader::next() {
  if (rest.empty()) return std::nullopt;
  Record record;
  record.key = take(readSize("a key's length"), "a key");
  const std::uint32_t size = readSize("a value's length");
  if (size != REMOVED) record.value = take(size, "a value");
  return record;
}

std::uint32_t RecordReader::readSize(std::string_view what) {
  std::uint32_t size = 0;
  std::memcpy(&size, take(sizeof(size), what).data(), sizeof(size));
  return littleEndian(size);
}

std::string_view RecordReader::take(std::size_t size, std::string_view what) {
  if (size > rest.size()) {
    throw std::runtime_error("bad records at offset " + std::to_string(total - rest.size()) + ": " +
                             std::string(what) + " of " + std::to_string(size) + " bytes, but " +
                             std::to_string(rest.size()) + " left");
  }
  const std::string_view taken = rest.substr(0, size);
  rest.remove_prefix(size);
  return taken;
}

}  // namespace gavel::auction
