#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "tests/store/store-fixture.h"
#include "tests/support/entries.h"

namespace gavel {

namespace fs = std::filesystem;

// How much has been written into a file, which may have spare space.
inline std::size_t usedOf(const std::string& contents) {
  return contents.find_last_not_of('\0') + 1;
}
inline std::size_t halfOf(const std::string& contents) {
  return usedOf(contents) / 2;
}

inline std::string contentsOf(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void setContents(const fs::path& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << contents;
}

// A store, and the files that can be damaged.
class DamageFixture: public StoreFixture {
protected:
  ~DamageFixture() noexcept override = default;

  fs::path theFile(const std::string& from, const std::string& begin, const std::string& end) {
    for (auto& entry: fs::directory_iterator(from)) {
      auto name = entry.path().filename().string();
      if (name.starts_with(begin) && name.ends_with(end)) return entry.path();
    }
    throw std::runtime_error("no such file");
  }
  fs::path walFile() { return theFile(path() + "/db", "", ".log"); }
  fs::path logFile() { return path() + "/log/segment-1"; }
};

}  // namespace gavel
