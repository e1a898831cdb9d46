#include "tests/history/history-file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <istream>
#include <limits>
#include <map>
#include <ostream>
#include <string_view>
#include <type_traits>
#include <utility>

#include <kj/debug.h>

namespace gavel::history {
namespace {

constexpr std::string_view TITLE = "gavel-history 1";
constexpr std::string_view HEX = "0123456789abcdef";

// The words for enumerated values, by value.
constexpr std::array<std::string_view, 5> KINDS{"create", "bid", "close", "cancel", "result"};
constexpr std::array<std::string_view, 14> OUTCOMES{
    "unknown",       "notApplied", "unexpected", "success", "notYours", "closed", "noSuchAuction",
    "alreadyExists", "tooLow",     "belowStart", "open",    "sold",     "noSale", "cancelled"};
constexpr std::array<std::string_view, 4> CHANGES{"created", "bid", "closed", "cancelled"};

// Names the fields of each kind of line, for writing and for reading.
template <typename Visit>
void visitFields(Operation& operation, Visit& visit) {
  visit.number("client", operation.client);
  visit.text("auction", operation.auction);
  visit.text("who", operation.who);
  visit.number("impostor", operation.impostor);
  visit.number("amount", operation.amount);
  auto& terms = operation.terms;
  visit.number("duration", terms.duration);
  visit.number("starting-price", terms.startingPrice);
  visit.number("reserve", terms.reserve);
  visit.number("percent", terms.percent);
  visit.number("increment", terms.increment, 1);
  visit.number("window", terms.window);
  visit.number("extension", terms.extension);
  visit.number("hard-end", terms.hardEnd);
  visit.number("invoked", operation.invoked);
  visit.number("returned", operation.returned, NEVER);
  auto& outcome = operation.outcome;
  visit.word("outcome", outcome.kind, OUTCOMES);
  visit.number("version", outcome.version);
  visit.number("index", outcome.index);
  visit.number("stamp", outcome.stamp);
  visit.number("deadline", outcome.deadline);
  visit.number("highest", outcome.amount);
  visit.text("leader", outcome.who);
  visit.number("next-valid", outcome.nextValid);
  visit.number("due", outcome.due);
  visit.text("detail", outcome.detail);
}

template <typename Visit>
void visitFields(FinalHistory& final, std::size_t& versions, Visit& visit) {
  visit.text("auction", final.auction);
  visit.number("invoked", final.invoked);
  visit.number("returned", final.returned, NEVER);
  visit.number("versions", versions);
}

template <typename Visit>
void visitFields(Version& version, Visit& visit) {
  visit.number("version", version.version);
  visit.word("kind", version.kind, CHANGES);
  visit.text("who", version.who);
  visit.number("amount", version.amount);
  visit.number("index", version.index);
  visit.number("stamp", version.stamp);
  visit.number("deadline", version.deadline);
}

bool plain(char c) {
  return c > ' ' && c <= '~' && c != '%' && c != '=';
}

class Writer {
public:
  explicit Writer(std::ostream& stream): stream(stream) {}

  template <typename T>
  void number(std::string_view name, T value, std::type_identity_t<T> usual = 0) {
    if (value != usual) stream << ' ' << name << '=' << +value;
  }

  void text(std::string_view name, const std::string& value) {
    if (value.empty()) return;
    stream << ' ' << name << '=';
    for (char c: value) {
      auto byte = static_cast<unsigned char>(c);
      if (plain(c)) {
        stream << c;
      } else {
        stream << '%' << HEX[byte >> 4] << HEX[byte & 15];
      }
    }
  }

  template <typename Enum, std::size_t COUNT>
  void word(std::string_view name, Enum value, const std::array<std::string_view, COUNT>& words) {
    stream << ' ' << name << '=' << words.at(static_cast<std::size_t>(value));
  }

private:
  std::ostream& stream;
};

// One line, split into fields.
class Line {
public:
  Line(const std::string& line, std::string where): where(std::move(where)) {
    std::size_t begin = 0;
    bool first = true;
    while (begin <= line.size()) {
      auto end = std::min(line.find(' ', begin), line.size());
      add(std::string_view(line).substr(begin, end - begin), first);
      first = false;
      begin = end + 1;
    }
  }

  std::string verb;

  template <typename T>
  void number(std::string_view name, T& value, std::type_identity_t<T> usual = 0) {
    auto text = take(name);
    if (text.empty()) {
      value = usual;
      return;
    }
    std::int64_t parsed = 0;
    std::uint64_t parsedUnsigned = 0;
    bool good = false;
    if constexpr (std::is_signed_v<T>) {
      good = whole(text, parsed);
      value = static_cast<T>(parsed);
    } else {
      good = whole(text, parsedUnsigned) && parsedUnsigned <= std::numeric_limits<T>::max();
      value = static_cast<T>(parsedUnsigned);
    }
    if (!good) fail(std::string(name) + " is not a number it may be: " + text);
  }

  void text(std::string_view name, std::string& value) {
    auto coded = take(name);
    value.clear();
    for (std::size_t i = 0; i < coded.size(); ++i) {
      if (coded[i] != '%') {
        if (!plain(coded[i])) fail("not a printable character in " + std::string(name));
        value.push_back(coded[i]);
        continue;
      }
      auto high = i + 2 < coded.size() ? HEX.find(coded[i + 1]) : std::string_view::npos;
      auto low = i + 2 < coded.size() ? HEX.find(coded[i + 2]) : std::string_view::npos;
      if (high == std::string_view::npos || low == std::string_view::npos) {
        fail("'%' without two hexadecimal digits in " + std::string(name));
      }
      value.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }

  template <typename Enum, std::size_t COUNT>
  void word(std::string_view name, Enum& value, const std::array<std::string_view, COUNT>& words) {
    auto text = take(name);
    for (std::size_t i = 0; i < COUNT; ++i) {
      if (words[i] == text) {
        value = static_cast<Enum>(i);
        return;
      }
    }
    fail(std::string(name) + " is none of its words: '" + text + "'");
  }

  // Requires that no field is left.
  void finish() {
    if (!fields.empty()) fail("no such field here: " + fields.begin()->first);
  }

  [[noreturn]] void fail(const std::string& problem) const {
    kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                          kj::str(where.c_str(), ": ", problem.c_str())));
  }

private:
  std::string where;
  std::map<std::string, std::string> fields;

  void add(std::string_view part, bool first) {
    auto equals = part.find('=');
    if (first) {
      verb = part;
      return;
    }
    if (equals == std::string_view::npos || equals == 0 || equals + 1 == part.size()) {
      fail("not of the form name=value: '" + std::string(part) + "'");
    }
    auto name = std::string(part.substr(0, equals));
    if (!fields.emplace(name, part.substr(equals + 1)).second) fail("twice: " + name);
  }

  // Empty if there is none.
  std::string take(std::string_view name) {
    auto found = fields.find(std::string(name));
    if (found == fields.end()) return {};
    auto value = std::move(found->second);
    fields.erase(found);
    return value;
  }

  template <typename T>
  static bool whole(const std::string& text, T& value) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  }
};

class Reader {
public:
  Reader(std::istream& stream, const std::string& name): stream(stream), name(name) {}

  History read() {
    History history;
    std::string text;
    if (!next(text) || text != TITLE) {
      Line("", where()).fail("a history begins with the line '" + std::string(TITLE) + "'");
    }
    while (next(text)) {
      Line line(text, where());
      if (line.verb == "final") {
        history.add(readFinal(line));
      } else {
        history.add(readOperation(line));
      }
    }
    return history;
  }

private:
  std::istream& stream;
  const std::string& name;
  std::size_t lineNumber = 0;

  std::string where() const { return name + ":" + std::to_string(lineNumber); }

  // Reads the next line that is not a comment.
  bool next(std::string& text) {
    do {
      ++lineNumber;
      if (!std::getline(stream, text)) return false;
    } while (!text.empty() && text[0] == '#');
    return true;
  }

  Operation readOperation(Line& line) {
    Operation operation;
    std::size_t kind = 0;
    while (kind < KINDS.size() && KINDS[kind] != line.verb) ++kind;
    if (kind == KINDS.size()) line.fail("no such operation: '" + line.verb + "'");
    operation.kind = static_cast<Kind>(kind);
    visitFields(operation, line);
    line.finish();
    if (operation.auction.empty()) line.fail("an operation needs an auction");
    return operation;
  }

  FinalHistory readFinal(Line& line) {
    FinalHistory final;
    std::size_t versions = 0;
    visitFields(final, versions, line);
    line.finish();
    if (final.auction.empty()) line.fail("a final history needs an auction");
    for (std::size_t i = 0; i < versions; ++i) {
      std::string text;
      if (!next(text)) line.fail("the file ends before all versions of this auction");
      Line versionLine(text, where());
      if (versionLine.verb != "version") versionLine.fail("a line 'version …' should be here");
      Version version;
      visitFields(version, versionLine);
      versionLine.finish();
      final.versions.push_back(std::move(version));
    }
    return final;
  }
};

}  // namespace

void write(const History& history, std::ostream& stream) {
  Writer writer(stream);
  stream << TITLE << '\n';
  for (auto operation: history.operations()) {
    stream << KINDS.at(static_cast<std::size_t>(operation.kind));
    visitFields(operation, writer);
    stream << '\n';
  }
  for (auto final: history.finals()) {
    auto versions = final.versions.size();
    stream << "final";
    visitFields(final, versions, writer);
    stream << '\n';
    for (auto& version: final.versions) {
      stream << "version";
      visitFields(version, writer);
      stream << '\n';
    }
  }
}

History read(std::istream& stream, const std::string& name) {
  return Reader(stream, name).read();
}

void save(const History& history, const std::string& path) {
  std::ofstream file(path);
  write(history, file);
  file.flush();
  KJ_REQUIRE(file.good(), "cannot write a history", path.c_str());
}

History load(const std::string& path) {
  std::ifstream file(path);
  KJ_REQUIRE(file.good(), "cannot read a history", path.c_str());
  return read(file, path);
}

}  // namespace gavel::history
