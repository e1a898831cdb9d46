#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "auction/fields.h"

// Encodes structs as bytes and decodes them, by the field lists of fields.h.  The encoding:
//
//   integers             little-endian, as wide as their type
//   enumerations         one byte
//   byte arrays          as they are
//   strings              u32 length, then the bytes
//   vectors              u64 count, then the elements
//   records of requests  u64 count, then sequence and record of each, by rising sequence
//   structs              their fields, with nothing between them
//
// The versions in an Auction are the exception: no count stands before them (see fields.h).
//
// Each value has exactly one encoding.  So equal states have equal bytes, and other states others.
namespace gavel::auction {

// Reverses the bytes of an integer where the machine is not little-endian.
template <std::integral T>
T littleEndian(T value) {
  if constexpr (std::endian::native == std::endian::big) {
    auto bytes = std::bit_cast<std::array<std::uint8_t, sizeof(T)>>(value);
    std::reverse(bytes.begin(), bytes.end());
    value = std::bit_cast<T>(bytes);
  }
  return value;
}

// Writes to a `Sink`, which has `void write(const void* bytes, std::size_t size)`.
template <class Sink>
class Writer {
public:
  explicit Writer(Sink& sink): sink(sink) {}

  template <class... Ts>
  void operator()(const Ts&... values) {
    (write(values), ...);
  }

private:
  Sink& sink;

  template <std::integral T>
  void write(T value) {
    value = littleEndian(value);
    sink.write(&value, sizeof(value));
  }
  template <class T>
  requires std::is_enum_v<T>
  void write(T value) {
    static_assert(sizeof(T) == 1);
    write(static_cast<std::uint8_t>(value));
  }
  template <std::size_t n>
  void write(const std::array<std::uint8_t, n>& bytes) {
    sink.write(bytes.data(), n);
  }
  void write(std::string_view text) {
    write(static_cast<std::uint32_t>(text.size()));
    sink.write(text.data(), text.size());
  }
  void write(const std::string& text) { write(std::string_view(text)); }
  template <class T>
  void write(std::span<const T> elements) {
    write(std::uint64_t{elements.size()});
    for (const T& element: elements) write(element);
  }
  template <class T>
  void write(const std::vector<T>& elements) {
    write(std::span<const T>(elements));
  }
  void write(const RequestRecords& elements) {
    write(std::uint64_t{elements.size()});
    for (const auto& [key, value]: elements) (*this)(key, value);
  }
  template <class T>
  requires std::is_class_v<T>
  void write(const T& structure) { fields(*this, structure); }
};

// Appends to a string.
struct StringSink {
  std::string& bytes;

  void write(const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
  }
};

// Reads what a Writer wrote, or throws std::runtime_error with the offset of what is wrong.  It
// trusts nothing, and takes memory only in proportion to the bytes that are really there.
class Reader {
public:
  explicit Reader(std::string_view bytes): rest(bytes), total(bytes.size()) {}

  template <class... Ts>
  void operator()(Ts&... values) {
    (read(values), ...);
  }

  // Reads how many elements follow, each of which consists of `Parts`.
  template <class... Parts>
  std::uint64_t readCount() {
    std::uint64_t count = 0;
    read(count);
    if (count > rest.size() / (smallestSize<Parts>() + ...)) {
      fail("count of " + std::to_string(count) + " with " + std::to_string(rest.size()) +
           " bytes left");
    }
    return count;
  }

  void expectEnd() const {
    if (!rest.empty()) fail(std::to_string(rest.size()) + " bytes too many");
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error("bad record at offset " + std::to_string(total - rest.size()) + ": " +
                             what);
  }

private:
  std::string_view rest;
  std::size_t total;

  std::string_view take(std::size_t size) {
    if (size > rest.size()) {
      fail(std::to_string(size) + " bytes expected, " + std::to_string(rest.size()) + " left");
    }
    const std::string_view taken = rest.substr(0, size);
    rest.remove_prefix(size);
    return taken;
  }

  // Returns the size of the empty value of type T.  No other one is encoded in fewer bytes.
  template <class T>
  static std::size_t smallestSize() {
    static const std::size_t size = [] {
      std::string bytes;
      StringSink sink{bytes};
      Writer writer(sink);
      writer(T{});
      return bytes.size();
    }();
    return size;
  }

  template <std::integral T>
  void read(T& value) {
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    value = littleEndian(value);
  }
  template <class T>
  requires std::is_enum_v<T>
  void read(T& value) {
    std::uint8_t number = 0;
    read(number);
    if (number > static_cast<std::uint8_t>(highestValue(T{}))) {
      fail("enumeration value " + std::to_string(number));
    }
    value = static_cast<T>(number);
  }
  template <std::size_t n>
  void read(std::array<std::uint8_t, n>& bytes) {
    std::memcpy(bytes.data(), take(n).data(), n);
  }
  void read(std::string& text) {
    std::uint32_t size = 0;
    read(size);
    text = take(size);
  }
  template <class T>
  void read(std::vector<T>& elements) {
    elements.resize(readCount<T>());
    for (T& element: elements) read(element);
  }
  void read(RequestRecords& elements) {
    for (auto count = readCount<std::uint64_t, RequestRecord>(); count > 0; --count) {
      std::uint64_t sequence = 0;
      read(sequence);
      if (elements.lower_bound(sequence) != elements.end()) fail("sequences out of order");
      RequestRecord record;
      read(record);
      elements.put(sequence, record);
    }
  }
  template <class T>
  requires std::is_class_v<T>
  void read(T& structure) { fields(*this, structure); }
};

}  // namespace gavel::auction
