#pragma once

#include <string>

namespace CLI {
class App;
}

namespace gavel {

// Where the options of a server program come from: its command line, else the environment, else a
// file, else their default.
//
//     --suspect-after 2s            on the command line
//     GAVEL_MASTER_SUSPECT_AFTER    in the environment, for a `prefix` of "GAVEL_MASTER"
//     suspect-after = "2s"          in the TOML file that --config or GAVEL_MASTER_CONFIG names
//
// Values are texts in quotes, numbers, true or false, and lists of texts for what may be several.

// Adds --config, and says all this in the help.  After all other options.
void declareConfiguration(CLI::App& app, const std::string& prefix);

// Parses.  What is wrong with a file or a variable is thrown as CLI::ValidationError, by the name
// of the variable, or of the file with line and key.
void parseConfigured(CLI::App& app, const std::string& prefix, int argc, char** argv);

}  // namespace gavel
