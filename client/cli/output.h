#pragma once

#include <string>
#include <vector>

#include <capnp/compat/json.h>
#include <kj/string.h>

#include "client/cli/settings.h"
#include "schema/auction.capnp.h"

// How results look.  Results go to stdout, everything else to stderr.
namespace gavel::client::cli {

// One line of JSON, an object that begins with "v":1, the version of these objects' form.
class JsonLine {
public:
  JsonLine();

  JsonLine& text(kj::StringPtr name, kj::StringPtr value);
  // 64-bit numbers are strings, as in Cap'n Proto's own JSON.
  JsonLine& number(kj::StringPtr name, std::uint64_t value);
  JsonLine& boolean(kj::StringPtr name, bool value);
  // A member that is JSON already.
  JsonLine& raw(kj::StringPtr name, kj::StringPtr json);
  // All members of a struct of the RPC schema.
  template <typename Reader>
  JsonLine& members(Reader value) {
    return spliced(codec.encode(value));
  }
  // A struct of the RPC schema as one member.
  template <typename Reader>
  JsonLine& object(kj::StringPtr name, Reader value) {
    return raw(name, codec.encode(value));
  }

  kj::String finish();

private:
  capnp::JsonCodec codec;
  std::string line;

  JsonLine& spliced(kj::StringPtr json);
  void begin(kj::StringPtr name);
};

enum class Paint { none, good, bad, alarm, faint };

// Columns as wide as their widest cell, two spaces apart.
class Table {
public:
  explicit Table(std::vector<std::string> header);
  void add(std::vector<std::string> row);
  std::string render(bool color) const;

private:
  std::vector<std::vector<std::string>> rows;
};

// Writes to the terminal or to whatever stands in for it.
class Printer {
public:
  explicit Printer(const Settings& settings)
      : json(settings.json), color(settings.color), quiet(settings.quiet) {}

  const bool json;
  const bool color;
  const bool quiet;

  // A result, without the line's end.
  void result(kj::StringPtr line) const;
  void result(const Table& table) const;
  void result(JsonLine& line) const { result(line.finish()); }
  std::string painted(Paint paint, const std::string& text) const;

  // To stderr: what helps but is no result; not with --quiet.
  void note(const std::string& line) const;
  // To stderr: why there is no result.
  void error(const std::string& line) const;
};

// Why a result could not be written (disk full, say); 0 if all were.  A reader that went away, as
// in `gavel history | head`, does not count.
int outputError();

// Texts that came from elsewhere, made harmless for a terminal: control characters become "?".
std::string printable(kj::StringPtr text);

// A point in chain time, in UTC: "2026-11-24T03:12:44Z".
std::string timeOf(std::int64_t stamp);

// Whether this machine's clock says the same, but for some seconds.
bool isNow(std::int64_t stamp);

// A point in chain time to come, by this machine's clock, where chain time is `now`: the two may be
// far apart (R15).
std::string timeToCome(std::int64_t stamp, std::int64_t now);

// From one point in chain time to a later one: "9m58s".
std::string span(std::int64_t from, std::int64_t to);

// "2.5%" or "5".
std::string incrementOf(schema::Increment::Reader increment);

}  // namespace gavel::client::cli
