#include "client/cli/arguments.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <numeric>

#include <kj/encoding.h>
#include <kj/exception.h>

#include "base/duration.h"
#include "client/cli/exit-code.h"

namespace gavel::client::cli {
namespace {

constexpr std::size_t MAX_NAME_BYTES = 128;
constexpr std::size_t MAX_ITEM_BYTES = 4096;
constexpr std::int64_t MAX_PERCENT = 1000;

// Returns a value as errors show it: short, and on one line.
std::string shown(const std::string& text) {
  constexpr std::size_t LONGEST = 40;
  std::string result = "\"";
  for (unsigned char c: text.substr(0, LONGEST)) result += c < 0x20 || c >= 0x7f ? '?' : c;
  return result + (text.size() > LONGEST ? "...\"" : "\"");
}

[[noreturn]] void refuse(const std::string& what, const std::string& why) {
  throw UsageError(what + ": " + why);
}

std::int64_t readInteger(const std::string& what, const std::string& text) {
  std::int64_t value = 0;
  auto* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, value);
  if (text.empty()) refuse(what, "is empty");
  if (error == std::errc::result_out_of_range && rest == end) {
    refuse(what, shown(text) + " is too large: the limits are those of 64 bits, " +
                     std::to_string(std::numeric_limits<std::int64_t>::max()));
  }
  if (error != std::errc() || rest != end) refuse(what, shown(text) + " is not a whole number");
  return value;
}

void checkText(const std::string& what, const std::string& text, std::size_t longest) {
  if (text.size() > longest) {
    refuse(what, "is " + std::to_string(text.size()) + " bytes long; at most " +
                     std::to_string(longest) + " are allowed");
  }
  if (kj::encodeUtf32(kj::arrayPtr(text.data(), text.size())).hadErrors) {
    refuse(what, shown(text) + " is not valid UTF-8");
  }
}

}  // namespace

std::int64_t readAmount(const std::string& what, const std::string& text) {
  auto amount = readAmountOrZero(what, text);
  if (amount == 0) refuse(what, "must be positive, not 0");
  return amount;
}

std::int64_t readAmountOrZero(const std::string& what, const std::string& text) {
  auto amount = readInteger(what, text);
  if (amount < 0) refuse(what, "must be positive, not " + text);
  return amount;
}

std::int64_t readNumber(const std::string& what, const std::string& text, std::int64_t lowest,
                        std::int64_t highest) {
  auto value = readInteger(what, text);
  if (value < lowest || value > highest) {
    refuse(what,
           text + " is not between " + std::to_string(lowest) + " and " + std::to_string(highest));
  }
  return value;
}

kj::Duration readDuration(const std::string& what, const std::string& text) {
  kj::Duration result = 0 * kj::SECONDS;
  auto problem = kj::runCatchingExceptions(
      [&]() { result = parseDuration(kj::StringPtr(text.c_str(), text.size())); });
  KJ_IF_MAYBE (e, problem) {
    refuse(what, e->getDescription().cStr());
  }
  if (result == 0 * kj::SECONDS) refuse(what, "must be longer than 0");
  return result;
}

std::string readAddress(const std::string& what, const std::string& text) {
  auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    refuse(what, shown(text) + " is not an address: expected HOST:PORT");
  }
  readNumber(what + ": port of " + text, text.substr(colon + 1), 1, 65535);
  return text;
}

std::string readName(const std::string& what, const std::string& text) {
  if (text.empty()) refuse(what, "must not be empty");
  checkText(what, text, MAX_NAME_BYTES);
  for (unsigned char c: text) {
    if (c < 0x20 || c == 0x7f) refuse(what, shown(text) + " has a control character");
  }
  return text;
}

std::string readItem(const std::string& what, const std::string& text) {
  checkText(what, text, MAX_ITEM_BYTES);
  return text;
}

kj::Maybe<RequestId> readRequest(const std::string& what, const std::string& text) {
  if (text.empty()) return nullptr;
  auto id = parseRequestId(kj::StringPtr(text.c_str(), text.size()));
  if (id == nullptr) {
    refuse(what, shown(text) + " is not a request id: expected SESSION-SEQUENCE, such as 17-1");
  }
  return id;
}

void readIncrement(const std::string& what, const std::string& text,
                   schema::Increment::Builder increment) {
  if (text.empty() || text.back() != '%') {
    increment.setAbsolute(readAmount(what, text));
    return;
  }
  auto number = text.substr(0, text.size() - 1);
  auto dot = number.find('.');
  std::string decimals = dot == std::string::npos ? "" : number.substr(dot + 1);
  if (decimals.size() > 2) refuse(what, shown(text) + " has more than two decimals");
  decimals.resize(2, '0');
  auto whole = readNumber(what, number.substr(0, dot), 0, MAX_PERCENT);
  auto hundredths = whole * 100 + readNumber(what, decimals, 0, 99);
  if (hundredths == 0) refuse(what, "must be above 0 %");
  if (hundredths > MAX_PERCENT * 100) refuse(what, shown(text) + " is above 1000 %");
  increment.setPercent(static_cast<std::uint32_t>(hundredths));
}

void readSoftClose(const std::string& what, const std::string& text, kj::Duration duration,
                   schema::SoftClose::Builder softClose) {
  auto first = text.find(',');
  auto second = first == std::string::npos ? first : text.find(',', first + 1);
  if (second == std::string::npos) {
    refuse(what, "expected WINDOW,EXTENSION,HARD_END, such as 30s,1m,2h");
  }
  softClose.setWindow(readDuration(what + ": WINDOW", text.substr(0, first)) / kj::NANOSECONDS);
  softClose.setExtension(
      readDuration(what + ": EXTENSION", text.substr(first + 1, second - first - 1)) /
      kj::NANOSECONDS);
  auto hardEnd = readDuration(what + ": HARD_END", text.substr(second + 1));
  if (hardEnd < duration) refuse(what, "HARD_END must not come before the end of the duration");
  softClose.setHardEnd(hardEnd / kj::NANOSECONDS);
}

std::string shellQuoted(const std::string& word) {
  constexpr const char PLAIN[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%";
  if (!word.empty() && word.find_first_not_of(PLAIN) == std::string::npos) return word;
  std::string result = "'";
  for (char c: word) {
    if (c == '\'') {
      result += "'\\''";
    } else {
      result += c;
    }
  }
  return result + "'";
}

}  // namespace gavel::client::cli
