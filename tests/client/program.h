#pragma once

#include <string>
#include <vector>

namespace gavel::client::testing {

// What a run of the built `gavel` came to.
struct Ran {
  int code = -1;  // -1: ended by a signal.
  std::string out;
  std::string err;
};

// A directory of its own for a test, removed at the end.
class TemporaryDirectory {
public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string path;
};

// If not 0, milliseconds after which a Ctrl-C is sent to the program.
struct InterruptAfter {
  unsigned milliseconds = 0;
};

// Runs the built `gavel` to its end, with `configHome` as $XDG_CONFIG_HOME and `environment`
// ("NAME=value") added to a clean environment.
Ran runGavel(const std::string& configHome, std::vector<std::string> arguments,
             std::vector<std::string> environment = {}, InterruptAfter interrupt = {});

// Writes `contents` to a file.
void writeFile(const std::string& path, const std::string& contents);
std::string readFile(const std::string& path);

}  // namespace gavel::client::testing
