#include "client/cli/output.h"

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "base/clock.h"
#include "base/duration.h"

namespace gavel::client::cli {
namespace {

std::size_t width(const std::string& text) {  // In code points, which is exact enough.
  std::size_t result = 0;
  for (unsigned char c: text) result += (c & 0xc0) != 0x80 ? 1 : 0;
  return result;
}

int firstError = 0;

void write(std::FILE* file, kj::StringPtr line) {
  std::fwrite(line.begin(), 1, line.size(), file);
  std::fputc('\n', file);
  if (std::fflush(file) != 0 && file == stdout && firstError == 0) firstError = errno;
}

}  // namespace

JsonLine::JsonLine(): line("{\"v\":1") {}

void JsonLine::begin(kj::StringPtr name) {
  line += ",\"";
  line += name.cStr();
  line += "\":";
}

JsonLine& JsonLine::text(kj::StringPtr name, kj::StringPtr value) {
  return raw(name, codec.encode(capnp::Text::Reader(value)));
}

JsonLine& JsonLine::number(kj::StringPtr name, std::uint64_t value) {
  return raw(name, kj::str("\"", value, "\""));
}

JsonLine& JsonLine::boolean(kj::StringPtr name, bool value) {
  return raw(name, value ? "true" : "false");
}

JsonLine& JsonLine::raw(kj::StringPtr name, kj::StringPtr json) {
  begin(name);
  line.append(json.begin(), json.size());
  return *this;
}

JsonLine& JsonLine::spliced(kj::StringPtr json) {
  if (json.size() > 2) {  // More than "{}".
    line += ",";
    line.append(json.begin() + 1, json.size() - 2);
  }
  return *this;
}

kj::String JsonLine::finish() {
  return kj::str(line.c_str(), "}");
}

Table::Table(std::vector<std::string> header) {
  rows.push_back(std::move(header));
}

void Table::add(std::vector<std::string> row) {
  rows.push_back(std::move(row));
}

std::string Table::render(bool color) const {
  std::vector<std::size_t> widths(rows[0].size());
  for (auto& row: rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string result;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (std::size_t i = 0; i < rows[r].size(); ++i) {
      line += rows[r][i];
      if (i + 1 < rows[r].size()) line.append(widths[i] - width(rows[r][i]) + 2, ' ');
    }
    if (r > 0) result += "\n";
    result += r == 0 && color ? "\x1b[1m" + line + "\x1b[0m" : line;
  }
  return result;
}

void Printer::result(kj::StringPtr line) const {
  write(stdout, line);
}

void Printer::result(const Table& table) const {
  auto text = table.render(color);
  write(stdout, kj::StringPtr(text.c_str(), text.size()));
}

std::string Printer::painted(Paint paint, const std::string& text) const {
  if (!color) return text;
  switch (paint) {
    case Paint::none:
      return text;
    case Paint::good:
      return "\x1b[32m" + text + "\x1b[0m";
    case Paint::bad:
      return "\x1b[33m" + text + "\x1b[0m";
    case Paint::alarm:
      return "\x1b[31m" + text + "\x1b[0m";
    case Paint::faint:
      return "\x1b[2m" + text + "\x1b[0m";
  }
  return text;
}

void Printer::note(const std::string& line) const {
  if (!quiet) write(stderr, line.c_str());
}

void Printer::error(const std::string& line) const {
  write(stderr, ("gavel: " + line).c_str());
}

int outputError() {
  return firstError == EPIPE ? 0 : firstError;
}

std::string printable(kj::StringPtr text) {
  std::string result(text.begin(), text.size());
  for (char& c: result) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return result;
}

std::string timeOf(std::int64_t stamp) {
  std::time_t seconds = stamp / 1'000'000'000;
  struct tm parts {};
  gmtime_r(&seconds, &parts);
  char buffer[32];
  auto size = std::strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(buffer, size);
}

bool isNow(std::int64_t stamp) {
  constexpr std::int64_t SMALL = 5'000'000'000;
  auto off = RealClock().wall() - stamp;
  return off < SMALL && off > -SMALL;
}

std::string timeToCome(std::int64_t stamp, std::int64_t now) {
  // For a small difference, all users should be shown the same second.
  return timeOf(isNow(now) ? stamp : stamp + (RealClock().wall() - now));
}

std::string span(std::int64_t from, std::int64_t to) {
  return formatDuration(kj::max(to - from, std::int64_t{0}) * kj::NANOSECONDS).cStr();
}

std::string incrementOf(schema::Increment::Reader increment) {
  if (increment.isAbsolute()) return std::to_string(increment.getAbsolute());
  auto hundredths = increment.getPercent();
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%u.%02u", hundredths / 100, hundredths % 100);
  std::string text = buffer;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text + "%";
}

}  // namespace gavel::client::cli
