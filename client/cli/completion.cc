#include <sstream>

#include <CLI/CLI.hpp>

#include "client/cli/arguments.h"
#include "client/cli/context.h"

// `gavel completion`: scripts with which shells complete gavel's commands and options.  They are
// made from the parser itself.
namespace gavel::client::cli {
namespace {

struct Words {
  std::vector<std::string> commands;
  std::vector<std::string> options;
};

void addOptions(const CLI::App& app, std::vector<std::string>& options) {
  for (auto* option: app.get_options()) {
    if (option->get_group().empty()) continue;
    for (auto& name: option->get_lnames()) options.push_back("--" + name);
  }
  for (auto* group:
       app.get_subcommands([](const CLI::App* sub) { return sub->get_name().empty(); })) {
    addOptions(*group, options);
  }
}

// Collects the words that may follow each sequence of commands, such as "gavel chain".
void collect(const CLI::App& app, const std::string& path,
             const std::vector<std::string>& inherited,
             std::vector<std::pair<std::string, Words>>& result) {
  Words words;
  words.options = inherited;
  addOptions(app, words.options);
  auto place = result.size();
  result.emplace_back(path, Words());
  for (auto* sub: app.get_subcommands([](const CLI::App* sub) {
         return !sub->get_name().empty() && !sub->get_group().empty();
       })) {
    words.commands.push_back(sub->get_name());
    // Global options may stand anywhere.
    collect(*sub, path + " " + sub->get_name(), path == "gavel" ? words.options : inherited,
            result);
  }
  result[place].second = words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (auto& word: words) text += (text.empty() ? "" : " ") + word;
  return text;
}

using Tree = std::vector<std::pair<std::string, Words>>;

// A shell function that finds the commands on the line, as a case over "path word".
std::string steps(const Tree& tree) {
  std::string text;
  for (auto& [path, words]: tree) {
    for (auto& command: words.commands) {
      text += (text.empty() ? "" : "|") + ("\"" + path + " " + command + "\"");
    }
  }
  return text;
}

std::string forBash(const Tree& tree) {
  std::ostringstream script;
  script << "_gavel() {\n"
            "  local path=gavel word words=\n"
            "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
            "    case \"$path $word\" in\n"
            "      "
         << steps(tree)
         << ") path=\"$path $word\" ;;\n"
            "    esac\n"
            "  done\n"
            "  case \"$path\" in\n";
  for (auto& [path, words]: tree) {
    script << "    \"" << path << "\") words=\"" << joined(words.commands) << "\"\n"
           << "      [[ ${COMP_WORDS[COMP_CWORD]} != -* ]] || words=\"" << joined(words.options)
           << "\" ;;\n";
  }
  script << "  esac\n"
            "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
            "}\n"
            "complete -o default -F _gavel gavel\n";
  return script.str();
}

std::string forZsh(const Tree& tree) {
  return "#compdef gavel\nautoload -U +X bashcompinit && bashcompinit\n" + forBash(tree);
}

std::string forFish(const Tree& tree) {
  std::ostringstream script;
  script << "function __gavel_at\n"
            "  set -l path gavel\n"
            "  for word in (commandline -opc)[2..]\n"
            "    contains -- \"$path $word\"";
  for (auto& [path, words]: tree) {
    for (auto& command: words.commands) script << " '" << path << " " << command << "'";
  }
  script << "\n"
            "    and set path \"$path $word\"\n"
            "  end\n"
            "  test \"$path\" = \"$argv[1]\"\n"
            "end\n"
            "complete -c gavel -f\n";
  for (auto& [path, words]: tree) {
    auto begin = "complete -c gavel -n \"__gavel_at '" + path + "'\" ";
    if (!words.commands.empty()) script << begin << "-a '" << joined(words.commands) << "'\n";
    for (auto& option: words.options) script << begin << "-l " << option.substr(2) << "\n";
  }
  return script.str();
}

}  // namespace

void addCompletion(CLI::App& app, Command& chosen) {
  auto shell = std::make_shared<std::string>();
  auto* completion = app.add_subcommand(
      "completion", "Prints a script that lets a shell complete commands and options");
  completion->add_option("shell", *shell, "bash, zsh or fish")->required();
  completion->callback([shell, &app, &chosen]() {
    chosen.prepare = [shell, &app]() -> Run {
      Tree tree;
      collect(app, "gavel", {}, tree);
      std::string script;
      if (*shell == "bash") {
        script = forBash(tree);
      } else if (*shell == "zsh") {
        script = forZsh(tree);
      } else if (*shell == "fish") {
        script = forFish(tree);
      } else {
        throw UsageError("completion: must be bash, zsh or fish, not \"" + *shell + "\"");
      }
      script.pop_back();
      return [script](Context& context) -> kj::Promise<int> {
        context.print.result(script.c_str());
        return DONE;
      };
    };
  });
}

}  // namespace gavel::client::cli
