#include "base/program-options.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <set>
#include <toml++/toml.h>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/closest.h"

namespace gavel {
namespace {

constexpr const char CONFIG[] = "config";

// Returns the options that a file or a variable can set.
std::vector<std::string> namesOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (auto* option: app.get_options()) {
    if (option->get_group().empty()) continue;  // Hidden.
    for (auto& name: option->get_lnames()) {
      if (name != "help" && name != "version" && name != CONFIG) names.push_back(name);
    }
  }
  return names;
}

std::string variableOf(const std::string& prefix, const std::string& name) {
  auto variable = prefix + "_";
  for (unsigned char c: name) variable += c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return variable;
}

// Returns an option as arguments; none for a flag that is not set.  Errors name `where`.
std::vector<std::string> argumentsFor(const CLI::App& app, const std::string& name,
                                      const std::string& value, const std::string& where) {
  bool flag = app.get_option("--" + name)->get_items_expected_max() == 0;
  if (!flag) return {"--" + name, value};
  if (value == "true" || value == "1") return {"--" + name};
  if (value == "false" || value == "0") return {};
  throw CLI::ValidationError(where, "must be true or false, not \"" + value + "\"");
}

std::string textOf(const toml::node& node, const std::string& where) {
  if (auto* text = node.as_string()) return text->get();
  if (auto* number = node.as_integer()) return std::to_string(number->get());
  if (auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (auto* list = node.as_array()) {
    std::string joined;
    for (auto& element: *list) {
      auto* text = element.as_string();
      if (text == nullptr) throw CLI::ValidationError(where, "must be a list of texts");
      joined += (joined.empty() ? "" : ",") + text->get();
    }
    return joined;
  }
  throw CLI::ValidationError(where, "must be a text in quotes, a number, true or false");
}

void readFile(const CLI::App& app, const std::string& path, const std::set<std::string>& given,
              std::vector<std::string>& arguments, std::map<std::string, std::string>& sources) {
  auto at = [&](const toml::source_region& region) {
    return path + " line " + std::to_string(region.begin.line);
  };
  auto known = namesOf(app);
  toml::table table;
  try {
    table = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    bool unread = error.source().begin.line == 0;
    throw CLI::ValidationError(unread ? path : at(error.source()),
                               std::string(error.description()));
  }
  for (auto& [key, node]: table) {
    std::string name(key.str());
    auto where = at(node.source()) + " (" + name + ")";
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      auto near = closest(name, known);
      throw CLI::ValidationError(
          where, "there is no such option" + (near.empty() ? "" : "; did you mean " + near + "?"));
    }
    if (given.count(name) > 0) continue;
    sources[name] = where;
    for (auto& each: argumentsFor(app, name, textOf(node, where), where)) arguments.push_back(each);
  }
}

}  // namespace

void declareConfiguration(CLI::App& app, const std::string& prefix) {
  app.add_option(std::string("--") + CONFIG, "TOML file with options: name = \"value\"")
      ->type_name("FILE");
  app.footer(
      "Each option may also be given in the environment, as " + variableOf(prefix, "listen") +
      " and so on, or in the file.\nThe command line comes first, then the environment, then the "
      "file.");
}

void parseConfigured(CLI::App& app, const std::string& prefix, int argc, char** argv) {
  std::set<std::string> given;
  std::map<std::string, std::string> sources;  // Of options that are not on the command line.
  std::string path;
  std::vector<std::string> arguments(argv + 1, argv + argc);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    auto& word = arguments[i];
    if (word.rfind("--", 0) != 0) continue;
    auto equals = word.find('=');
    auto name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    given.insert(name);
    if (name != CONFIG) continue;
    if (equals != std::string::npos) {
      path = word.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      path = arguments[i + 1];
    }
  }
  for (auto& name: namesOf(app)) {
    auto variable = variableOf(prefix, name);
    auto* value = std::getenv(variable.c_str());
    if (value == nullptr || *value == '\0' || !given.insert(name).second) continue;
    sources[name] = variable;
    for (auto& each: argumentsFor(app, name, value, variable)) arguments.push_back(each);
  }
  if (auto* named = std::getenv(variableOf(prefix, CONFIG).c_str());
      path.empty() && named != nullptr) {
    path = named;
  }
  bool asksForHelp = given.count("help") > 0;
  if (!path.empty() && !asksForHelp) readFile(app, path, given, arguments, sources);
  try {
    // CLI11 wants them in reverse order.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ValidationError& error) {
    std::string what = error.what();
    for (auto& [name, source]: sources) {
      if (what.rfind("--" + name + ":", 0) == 0) throw CLI::ValidationError(source, what);
    }
    throw;
  }
}

}  // namespace gavel
