#include "auction/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "auction/auction.h"

namespace gavel::auction {
namespace {

// Takes the first code point off `text`.  Returns null if the bytes are not strict UTF-8 (RFC
// 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
std::optional<char32_t> takeCodePoint(std::string_view& text) {
  const auto lead = static_cast<std::uint8_t>(text.front());
  std::size_t length;
  char32_t point;
  char32_t lowest;  // Anything below it should have had a shorter form.
  if (lead < 0x80) {
    length = 1, point = lead, lowest = 0;
  } else if (lead >> 5 == 0b110) {
    length = 2, point = lead & 0x1f, lowest = 0x80;
  } else if (lead >> 4 == 0b1110) {
    length = 3, point = lead & 0x0f, lowest = 0x800;
  } else if (lead >> 3 == 0b11110) {
    length = 4, point = lead & 0x07, lowest = 0x10000;
  } else {
    return std::nullopt;
  }
  if (text.size() < length) return std::nullopt;
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<std::uint8_t>(text[i]);
    if (next >> 6 != 0b10) return std::nullopt;
    point = point << 6 | (next & 0x3f);
  }
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < lowest || point > 0x10ffff || surrogate) return std::nullopt;
  text.remove_prefix(length);
  return point;
}

bool isControl(char32_t point) {
  return point < 0x20 || (point >= 0x7f && point <= 0x9f);
}

// Returns whether `text` is strict UTF-8 whose only control characters are in `allowed`.
bool validText(std::string_view text, std::u32string_view allowed) {
  const auto isPlain = [](char c) { return c >= 0x20 && c < 0x7f; };
  // Most names consist of these, and every node looks at two names for each bid.  This makes
  // judging a bid 6 of 32 ns cheaper.
  text.remove_prefix(std::find_if_not(text.begin(), text.end(), isPlain) - text.begin());
  while (!text.empty()) {
    const auto point = takeCodePoint(text);
    if (!point) return false;
    if (isControl(*point) && allowed.find(*point) == allowed.npos) return false;
  }
  return true;
}

}  // namespace

bool validName(std::string_view name) {
  return !name.empty() && name.size() <= MAX_NAME_BYTES && validText(name, {});
}

bool validItem(std::string_view item) {
  return item.size() <= MAX_ITEM_BYTES && validText(item, U"\n\t");
}

}  // namespace gavel::auction
