#pragma once

#include <string>
#include <vector>

#include <kj/time.h>

namespace gavel::client::cli {

// The global options, as given on the command line; empty where not given.
struct Flags {
  std::vector<std::string> servers;
  std::string as;
  std::string timeout;
  std::string output;
  std::string color;
  std::string credentialFile;
  std::string adminTokenFile;
  std::string tlsCa;
  bool newCluster = false;
  bool verbose = false;
  bool quiet = false;
};

// The global options after all sources.  Flag > GAVEL_* environment > config.toml > default.
struct Settings {
  std::vector<std::string> servers;  // "host:port"
  std::string as;
  bool asGiven = false;  // The name was given, and is not just $USER.
  kj::Duration timeout = 0 * kj::SECONDS;
  bool json = false;
  bool color = false;
  bool newCluster = false;  // Any cluster at these addresses is right.
  bool verbose = false;
  bool quiet = false;
  std::string credentialFile;
  std::string adminTokenFile;  // Empty: none.
  std::string tlsCa;           // Empty: no TLS.
};

// Reads the environment and $XDG_CONFIG_HOME/gavel/config.toml.  Throws UsageError that names the
// source of a bad value: flag, variable, or file and line.
Settings resolveSettings(const Flags& flags);

}  // namespace gavel::client::cli
