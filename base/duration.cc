#include "base/duration.h"

#include <cstdint>
#include <ctime>
#include <limits>
#include <string_view>

#include <kj/debug.h>

namespace gavel {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

constexpr std::int64_t SECOND = 1'000'000'000;

// Units stand from large to small, as they are written.
constexpr Unit UNITS[] = {
    {"d", 86'400 * SECOND}, {"h", 3'600 * SECOND}, {"m", 60 * SECOND}, {"s", SECOND},
    {"ms", 1'000'000},      {"us", 1'000},         {"ns", 1}};

[[noreturn]] void refuse(kj::StringPtr text, kj::StringPtr why) {
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                        kj::str("\"", text, "\" is not a duration: ", why)));
}

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// Takes one part, such as "1.5h", off the start of `rest` and returns its nanoseconds.  Fractions
// are exact down to a nanosecond, and cut off there.
__int128 takePart(kj::StringPtr text, std::string_view& rest) {
  constexpr __int128 LIMIT = std::numeric_limits<std::int64_t>::max();
  __int128 whole = 0;
  __int128 fraction = 0;
  __int128 scale = 1;
  std::size_t position = 0;
  bool digits = false;
  for (; position < rest.size() && isDigit(rest[position]); ++position) {
    digits = true;
    whole = whole * 10 + (rest[position] - '0');
    if (whole > LIMIT) refuse(text, "it is too long");
  }
  if (position < rest.size() && rest[position] == '.') {
    for (++position; position < rest.size() && isDigit(rest[position]); ++position) {
      digits = true;
      if (scale >= LIMIT / 10) continue;  // This digit is less than a nanosecond.
      fraction = fraction * 10 + (rest[position] - '0');
      scale *= 10;
    }
  }
  if (!digits) refuse(text, "expected a number and a unit, such as 10m or 1.5h");
  rest.remove_prefix(position);

  std::size_t length = 0;
  while (length < rest.size() && !isDigit(rest[length]) && rest[length] != '.') ++length;
  auto name = rest.substr(0, length);
  rest.remove_prefix(length);
  for (auto& unit: UNITS) {
    if (unit.name != name) continue;
    return whole * unit.nanoseconds + fraction * unit.nanoseconds / scale;
  }
  refuse(text, name.empty() ? "the unit is missing (ms, s, m, h or d)"
                            : "its unit is none of ms, s, m, h and d");
}

}  // namespace

kj::Duration parseDuration(kj::StringPtr text) {
  std::string_view rest(text.begin(), text.size());
  if (rest.empty()) refuse(text, "it is empty");
  if (rest.front() == '-') refuse(text, "it is negative");
  __int128 total = 0;
  while (!rest.empty()) {
    total += takePart(text, rest);
    if (total > std::numeric_limits<std::int64_t>::max()) refuse(text, "it is too long");
  }
  return static_cast<std::int64_t>(total) * kj::NANOSECONDS;
}

kj::String formatDuration(kj::Duration duration) {
  std::int64_t rest = duration / kj::NANOSECONDS;
  if (rest == 0) return kj::str("0s");
  // Negated as an unsigned number, since the lowest value has no opposite.
  kj::StringPtr sign = rest < 0 ? "-" : "";
  auto amount = rest < 0 ? -static_cast<std::uint64_t>(rest) : static_cast<std::uint64_t>(rest);
  auto size = [](const Unit& unit) { return static_cast<std::uint64_t>(unit.nanoseconds); };
  auto unit = [&](std::size_t at) {
    return kj::heapString(UNITS[at].name.data(), UNITS[at].name.size());
  };

  std::size_t first = 0;
  while (amount < size(UNITS[first])) ++first;
  auto whole = amount / size(UNITS[first]);
  auto remainder = amount % size(UNITS[first]);
  if (UNITS[first].nanoseconds > SECOND) {  // Days, hours and minutes have the next unit too.
    auto next = remainder / size(UNITS[first + 1]);
    if (next == 0) return kj::str(sign, whole, unit(first));
    return kj::str(sign, whole, unit(first), next, unit(first + 1));
  }
  // Seconds and smaller units have one decimal while the number is below 10.
  auto tenth = remainder * 10 / size(UNITS[first]);
  if (whole >= 10 || tenth == 0) return kj::str(sign, whole, unit(first));
  return kj::str(sign, whole, ".", tenth, unit(first));
}

kj::String formatUtc(std::int64_t time) {
  // This rounds down before the epoch too.
  std::time_t seconds = time / SECOND - (time % SECOND < 0 ? 1 : 0);
  struct tm parts {};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return kj::heapString(text);
}

}  // namespace gavel
