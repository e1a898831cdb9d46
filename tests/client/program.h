#pragma once

#include <optional>
#include <string>
#include <vector>

namespace gavel::client::testing {

// The result of a run of the built `gavel`.
struct Ran {
  int code = -1;  // -1: ended by a signal.
  std::string out;
  std::string err;
};

// Runs the built `gavel` to its end, with `configHome` as $XDG_CONFIG_HOME and `environment`
// ("NAME=value") added to a clean environment.  With `interruptWhenReadable`, a file descriptor, it
// gets Ctrl-C as soon as a byte can be read there.
Ran runGavel(const std::string& configHome, std::vector<std::string> arguments,
             std::vector<std::string> environment = {},
             std::optional<int> interruptWhenReadable = std::nullopt);

// The same with a terminal as standard input, at which `typed` and a line end are typed.
Ran runGavelOnTerminal(const std::string& configHome, std::vector<std::string> arguments,
                       const std::string& typed);

// Writes `contents` to a file.
void writeFile(const std::string& path, const std::string& contents);
std::string readFile(const std::string& path);

}  // namespace gavel::client::testing
