#include "client/cli/settings.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <toml++/toml.h>
#include <unistd.h>

#include "base/closest.h"
#include "client/cli/arguments.h"
#include "client/cli/credential.h"
#include "client/cli/exit-code.h"

namespace gavel::client::cli {
namespace {

// The master and the first nodes of `gavel up`.
constexpr const char DEFAULT_SERVERS[] =
    "127.0.0.1:7400,127.0.0.1:7401,127.0.0.1:7402,127.0.0.1:7403";

// A value and its source, for errors.
struct Sourced {
  std::string value;
  std::string source;
};

const std::vector<std::string> KEYS = {
    "server", "as", "timeout", "output", "color", "credential-file", "admin-token-file", "tls-ca"};

class Sources {
public:
  Sources() {
    std::string path;
    try {
      path = configDirectory() + "/config.toml";
    } catch (const EnvironmentError&) {
      return;  // Without a home directory there is no file.
    }
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return;
    try {
      readFile(path);
    } catch (const toml::parse_error& e) {
      throw UsageError(at(path, e.source()) + ": " + std::string(e.description()));
    }
  }

  Sourced get(const std::string& key, const std::string& flag, const std::string& standard) const {
    if (!flag.empty()) return {flag, "--" + key};
    std::string variable = "GAVEL_";
    for (char c: key) {
      variable += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    if (auto* value = std::getenv(variable.c_str()); value != nullptr && *value != '\0') {
      return {value, variable};
    }
    if (auto found = file.find(key); found != file.end()) return found->second;
    return {standard, "--" + key};
  }

private:
  std::map<std::string, Sourced> file;

  static std::string at(const std::string& path, const toml::source_region& region) {
    return path + " line " + std::to_string(region.begin.line);
  }

  void readFile(const std::string& path) {
    for (auto& [name, node]: toml::parse_file(path)) {
      std::string key(name.str());
      auto source = at(path, node.source()) + " (" + key + ")";
      if (std::find(KEYS.begin(), KEYS.end(), key) == KEYS.end()) {
        auto near = closest(key, KEYS);
        throw UsageError(source + ": there is no such setting" +
                         (near.empty() ? "" : "; did you mean " + near + "?"));
      }
      std::string value;
      if (auto text = node.value<std::string>(); text && node.is_string()) {
        value = *text;
      } else if (auto* list = node.as_array(); list != nullptr && key == "server") {
        for (auto& element: *list) {
          auto address = element.value<std::string>();
          if (!address) throw UsageError(source + ": must be a list of texts");
          value += (value.empty() ? "" : ",") + *address;
        }
      } else {
        throw UsageError(source + ": must be a text in quotes");
      }
      file[key] = {value, source};
    }
  }
};

std::vector<std::string> readServers(const Sourced& list) {
  std::vector<std::string> result;
  std::size_t begin = 0;
  while (begin <= list.value.size()) {
    auto end = std::min(list.value.find(',', begin), list.value.size());
    result.push_back(readAddress(list.source, list.value.substr(begin, end - begin)));
    begin = end + 1;
  }
  return result;
}

bool oneOf(const Sourced& value, const std::vector<std::string>& allowed) {
  return std::find(allowed.begin(), allowed.end(), value.value) != allowed.end();
}

bool readColor(const Sourced& color) {
  if (color.value == "always") return true;
  if (color.value == "never") return false;
  if (!oneOf(color, {"auto"})) {
    throw UsageError(color.source + ": must be auto, always or never, not \"" + color.value + "\"");
  }
  // https://no-color.org
  auto* none = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) != 0 && (none == nullptr || *none == '\0');
}

}  // namespace

Settings resolveSettings(const Flags& flags) {
  Sources sources;
  Settings result;

  std::string servers;
  for (auto& server: flags.servers) servers += (servers.empty() ? "" : ",") + server;
  result.servers = readServers(sources.get("server", servers, DEFAULT_SERVERS));

  auto* user = std::getenv("USER");
  auto as = sources.get("as", flags.as, user != nullptr && *user != '\0' ? user : "anonymous");
  result.as = readName(as.source, as.value);
  result.asGiven = !sources.get("as", flags.as, "").value.empty();

  auto timeout = sources.get("timeout", flags.timeout, "5s");
  result.timeout = readDuration(timeout.source, timeout.value);
  if (result.timeout > 1 * kj::DAYS) throw UsageError(timeout.source + ": is longer than a day");

  auto output = sources.get("output", flags.output, "table");
  if (!oneOf(output, {"table", "json"})) {
    throw UsageError(output.source + ": must be table or json, not \"" + output.value + "\"");
  }
  result.json = output.value == "json";
  result.color = readColor(sources.get("color", flags.color, "auto")) && !result.json;

  result.credentialFile = sources.get("credential-file", flags.credentialFile, "").value;
  result.adminTokenFile = sources.get("admin-token-file", flags.adminTokenFile, "").value;
  result.tlsCa = sources.get("tls-ca", flags.tlsCa, "").value;
  result.newCluster = flags.newCluster;
  result.verbose = flags.verbose;
  result.quiet = flags.quiet;
  return result;
}

}  // namespace gavel::client::cli
