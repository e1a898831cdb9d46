#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gavel::client::cli {

// Returns `text` as a field of a CSV file: quoted if necessary.
std::string csvField(const std::string& text);

// A value of a CSV file and where it begins: line and column, both from 1, the column in bytes.
struct CsvField {
  std::string text;
  unsigned line = 0;
  unsigned column = 0;
};

// Reads RFC 4180: values between commas, quoted if they hold commas, quotes (doubled) or line ends.
// Lines may end with CR LF or LF.  Empty lines and a byte order mark are skipped.
//
// Errors are UsageErrors that name the file, the line and the column.
class CsvReader {
public:
  // `contents` must outlive this object; `file` is its name in errors.
  CsvReader(std::string file, std::string_view contents);

  // Reads the next record; returns false at the end.
  bool next(std::vector<CsvField>& fields);

  // Throws the error that `what` is wrong with `field`.
  [[noreturn]] void refuse(const CsvField& field, const std::string& what) const;

private:
  std::string file;
  std::string_view rest;
  unsigned line = 1;
  unsigned column = 1;

  bool atLineEnd() const;
  char take();
  void takeLineEnd();
  CsvField readField();
  void readQuoted(CsvField& field);
};

}  // namespace gavel::client::cli
