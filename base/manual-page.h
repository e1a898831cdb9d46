#pragma once

#include <string>

namespace CLI {
class App;
}

namespace gavel {

// Returns a program's manual page for man(1), made from the texts of --help: those of each command
// and option, and the footer.
std::string manualPage(const CLI::App& app);

// Adds a hidden --manual-page, which prints it and ends the program like --help.  Must be called
// after everything else is added.
void addManualPage(CLI::App& app);

}  // namespace gavel
