#include "client/cli/csv.h"

#include "client/cli/exit-code.h"

namespace gavel::client::cli {

std::string csvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c: text) {
    if (c == '"') quoted += c;
    quoted += c;
  }
  return quoted + "\"";
}

CsvReader::CsvReader(std::string file, std::string_view contents)
    : file(std::move(file)), rest(contents) {
  constexpr std::string_view BYTE_ORDER_MARK = "\xef\xbb\xbf";
  if (rest.substr(0, BYTE_ORDER_MARK.size()) == BYTE_ORDER_MARK) {
    rest.remove_prefix(BYTE_ORDER_MARK.size());
  }
}

bool CsvReader::next(std::vector<CsvField>& fields) {
  fields.clear();
  while (!rest.empty() && atLineEnd()) takeLineEnd();
  if (rest.empty()) return false;
  for (;;) {
    fields.push_back(readField());
    if (rest.empty()) return true;
    if (atLineEnd()) {
      takeLineEnd();
      return true;
    }
    take();  // The comma.
  }
}

bool CsvReader::atLineEnd() const {
  return rest[0] == '\n' || (rest[0] == '\r' && rest.size() > 1 && rest[1] == '\n');
}

char CsvReader::take() {
  char c = rest[0];
  rest.remove_prefix(1);
  ++column;
  if (c == '\n') {
    ++line;
    column = 1;
  }
  return c;
}

void CsvReader::takeLineEnd() {
  if (take() == '\r') take();
}

CsvField CsvReader::readField() {
  CsvField field{"", line, column};
  if (!rest.empty() && rest[0] == '"') {
    readQuoted(field);
    if (!rest.empty() && rest[0] != ',' && !atLineEnd()) {
      refuse(CsvField{"", line, column},
             "after a closing quote, a comma or the line's end must come");
    }
    return field;
  }
  while (!rest.empty() && rest[0] != ',' && !atLineEnd()) {
    if (rest[0] == '"') {
      refuse(CsvField{"", line, column}, "a quote in a value that does not begin with one");
    }
    if (rest[0] == '\r') refuse(CsvField{"", line, column}, "a carriage return within a line");
    field.text += take();
  }
  return field;
}

void CsvReader::readQuoted(CsvField& field) {
  take();
  for (;;) {
    if (rest.empty()) refuse(field, "the quote that begins here is never closed");
    char c = take();
    if (c == '"') {
      if (rest.empty() || rest[0] != '"') return;
      take();
    }
    field.text += c;
  }
}

void CsvReader::refuse(const CsvField& field, const std::string& what) const {
  throw UsageError(file + ": line " + std::to_string(field.line) + ", column " +
                   std::to_string(field.column) + ": " + what);
}

}  // namespace gavel::client::cli
