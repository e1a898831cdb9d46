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
// In the file, values are texts in quotes, numbers, true or false.  An option that takes several
// texts also takes a list of them.

// Adds --config, and says all this in the help.  Must be called after all other options are added.
void declareConfiguration(CLI::App& app, const std::string& prefix);

// Parses the options.  Throws CLI::ValidationError if a file or a variable is wrong: it names the
// variable, or the file with line and key.
void parseConfigured(CLI::App& app, const std::string& prefix, int argc, char** argv);

}  // namespace gavel
