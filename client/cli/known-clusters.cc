#include "client/cli/known-clusters.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <pwd.h>
#include <set>
#include <sstream>
#include <unistd.h>

#include "base/logging.h"

namespace gavel::client::cli {
namespace {

namespace fs = std::filesystem;

// A limit: scripts that start chains at ports of the kernel's choosing would make the file grow for
// ever.
constexpr std::size_t MOST_LISTS = 500;

struct Line {
  std::uint64_t cluster = 0;
  std::string list;
};

// Empty if there is no home directory.
std::string stateFile() {
  std::string base;
  if (auto* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
    base = state;
  } else if (auto* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    base = std::string(home) + "/.local/state";
  } else if (auto* user = getpwuid(getuid()); user != nullptr && user->pw_dir != nullptr) {
    base = std::string(user->pw_dir) + "/.local/state";
  } else {
    return "";
  }
  return base + "/gavel/clusters";
}

std::string listOf(const std::vector<std::string>& addresses) {
  std::string list;
  for (auto& address: std::set<std::string>(addresses.begin(), addresses.end())) {
    list += (list.empty() ? "" : ",") + address;
  }
  return list;
}

bool has(const std::string& list, const std::vector<std::string>& addresses) {
  std::istringstream parts(list);
  for (std::string part; std::getline(parts, part, ',');) {
    if (std::find(addresses.begin(), addresses.end(), part) != addresses.end()) return true;
  }
  return false;
}

std::vector<Line> readLines() {
  std::vector<Line> lines;
  std::ifstream file(stateFile());
  for (std::string text; std::getline(file, text);) {
    std::istringstream words(text);
    Line line;
    if (words >> line.cluster >> line.list && line.cluster != 0) lines.push_back(std::move(line));
  }
  return lines;
}

void writeLines(const std::vector<Line>& lines) {
  auto path = stateFile();
  if (path.empty()) return;
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  auto temporary = path + "." + std::to_string(getpid());
  {
    std::ofstream file(temporary, std::ios::trunc);
    auto first = lines.size() > MOST_LISTS ? lines.size() - MOST_LISTS : 0;
    for (auto i = first; i < lines.size(); ++i) {
      file << lines[i].cluster << ' ' << lines[i].list << '\n';
    }
    file.close();
    if (!file) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) fs::rename(temporary, path, error);
  if (!error) return;
  fs::remove(temporary, error);
  logDebug("cannot remember which cluster is at these addresses", {{"file", path}});
}

}  // namespace

std::uint64_t KnownClusters::at(const std::vector<std::string>& addresses) {
  auto list = listOf(addresses);
  for (auto& line: readLines()) {
    if (line.list == list) return line.cluster;
  }
  return 0;
}

void KnownClusters::remember(const std::vector<std::string>& addresses, std::uint64_t cluster) {
  if (at(addresses) == cluster) return;
  auto list = listOf(addresses);
  auto lines = readLines();
  std::erase_if(lines, [&](const Line& line) { return line.list == list; });
  lines.push_back({cluster, list});
  writeLines(lines);
}

void KnownClusters::forget(const std::vector<std::string>& addresses) {
  auto lines = readLines();
  auto forgotten =
      std::erase_if(lines, [&](const Line& line) { return has(line.list, addresses); });
  if (forgotten > 0) writeLines(lines);
}

}  // namespace gavel::client::cli
