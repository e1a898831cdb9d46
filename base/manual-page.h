#pragma once

#include <string>

namespace CLI {
class App;
}

namespace gavel {

// A program's manual page, for man(1), made of what it says of itself under --help: of each
// command, of each option, and its footer.
std::string manualPage(const CLI::App& app);

// Adds a hidden --manual-page, which prints it and ends the program like --help.  After all else.
void addManualPage(CLI::App& app);

}  // namespace gavel
