#pragma once

#include <string>
#include <vector>

#include <capnp/compat/json.h>
#include <kj/string.h>

#include "client/cli/settings.h"
#include "schema/auction.capnp.h"

// The form of results.  Results go to stdout, everything else to stderr.
namespace gavel::client::cli {

// One line of JSON: an object that begins with "v":1, the version of the form of these objects.
class JsonLine {
public:
  JsonLine();

  JsonLine& text(kj::StringPtr name, kj::StringPtr value);
  // 64-bit numbers are strings, as in Cap'n Proto's own JSON.
  JsonLine& number(kj::StringPtr name, std::uint64_t value);
  JsonLine& boolean(kj::StringPtr name, bool value);
  // Adds a member whose value is JSON already.
  JsonLine& raw(kj::StringPtr name, kj::StringPtr json);
  // Adds all members of a struct of the RPC schema.
  template <typename Reader>
  JsonLine& members(Reader value) {
    return spliced(codec.encode(value));
  }
  // Adds a struct of the RPC schema as one member.
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

// A table whose columns are as wide as their widest cell, two spaces apart.
class Table {
public:
  explicit Table(std::vector<std::string> header);
  void add(std::vector<std::string> row);
  std::string render(bool color) const;

private:
  std::vector<std::vector<std::string>> rows;
};

// Writes to the terminal, or to a file or pipe in its place.
class Printer {
public:
  explicit Printer(const Settings& settings)
      : json(settings.json), color(settings.color), quiet(settings.quiet) {}

  const bool json;
  const bool color;
  const bool quiet;

  // Prints a result.  `line` has no line end.
  void result(kj::StringPtr line) const;
  void result(const Table& table) const;
  void result(JsonLine& line) const { result(line.finish()); }
  std::string painted(Paint paint, const std::string& text) const;

  // Prints to stderr what helps but is no result; nothing with --quiet.
  void note(const std::string& line) const;
  // Prints to stderr why there is no result.
  void error(const std::string& line) const;
};

// Why a result could not be written, such as a full disk; 0 if all were.  A reader that went away,
// as in `gavel history | head`, does not count.
int outputError();

// Makes a foreign text harmless for a terminal: control characters become "?".
std::string printable(kj::StringPtr text);

// Returns a point in chain time, in UTC: "2026-11-24T03:12:44Z".
std::string timeOf(std::int64_t stamp);

// Whether `stamp` is within some seconds of this machine's clock.
bool isNow(std::int64_t stamp);

// Returns a future point in chain time, by this machine's clock, when chain time is `now`.  The two
// may be far apart (R15).
std::string timeToCome(std::int64_t stamp, std::int64_t now);

// Returns the time from one point in chain time to a later one: "9m58s".
std::string span(std::int64_t from, std::int64_t to);

// Returns "2.5%" or "5".
std::string incrementOf(schema::Increment::Reader increment);

}  // namespace gavel::client::cli
