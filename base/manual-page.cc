#include "base/manual-page.h"

#include <iostream>
#include <sstream>

#include <CLI/CLI.hpp>

namespace gavel {
namespace {

// Escapes text for roff: no line is taken for a request, and hyphens stay as they are.
std::string escaped(const std::string& text) {
  std::string result;
  bool lineBegins = true;
  for (char c: text) {
    if (lineBegins && (c == '.' || c == '\'')) result += "\\&";
    if (c == '\\' || c == '-') result += '\\';
    result += c;
    lineBegins = c == '\n';
  }
  return result;
}

std::string upper(std::string text) {
  for (char& c: text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

void writeOption(std::ostream& page, const CLI::Option& option) {
  if (option.get_group().empty()) return;  // Hidden.
  bool positional = option.get_positional();
  page << ".TP\n\\fB" << escaped(option.get_name(positional)) << "\\fR";
  if (!positional && option.get_items_expected_max() != 0 && !option.get_type_name().empty()) {
    page << " \\fI" << escaped(option.get_type_name()) << "\\fR";
  }
  page << "\n" << escaped(option.get_description());
  if (!option.get_default_str().empty())
    page << " (default: " << escaped(option.get_default_str()) << ")";
  if (option.get_required()) page << " (required)";
  page << "\n";
}

// Writes the options of the command itself, including those in option groups.
void writeOptions(std::ostream& page, const CLI::App& app) {
  for (auto* option: app.get_options()) writeOption(page, *option);
  for (auto* group:
       app.get_subcommands([](const CLI::App* sub) { return sub->get_name().empty(); })) {
    writeOptions(page, *group);
  }
}

void writeCommands(std::ostream& page, const CLI::App& app, const std::string& path) {
  for (auto* command: app.get_subcommands([](const CLI::App* sub) {
         return !sub->get_name().empty() && !sub->get_group().empty();
       })) {
    auto name = path + " " + command->get_name();
    page << ".SS " << escaped(name) << "\n" << escaped(command->get_description()) << ".\n";
    writeOptions(page, *command);
    writeCommands(page, *command, name);
  }
}

bool hasCommands(const CLI::App& app) {
  return !app.get_subcommands([](const CLI::App* sub) { return !sub->get_name().empty(); }).empty();
}

}  // namespace

std::string manualPage(const CLI::App& app) {
  std::ostringstream page;
  auto name = app.get_name();
  page << ".TH " << upper(name) << " 1\n.SH NAME\n"
       << escaped(name) << " \\- " << escaped(app.get_description()) << "\n.SH SYNOPSIS\n.B "
       << escaped(name) << "\n"
       << (hasCommands(app) ? "\\fICOMMAND\\fR " : "") << "[\\fIOPTIONS\\fR]\n.SH OPTIONS\n";
  writeOptions(page, app);
  if (hasCommands(app)) {
    page << ".SH COMMANDS\n";
    writeCommands(page, app, name);
  }
  if (!app.get_footer().empty())
    page << ".SH NOTES\n.nf\n" << escaped(app.get_footer()) << "\n.fi\n";
  return page.str();
}

void addManualPage(CLI::App& app) {
  app.add_flag_callback("--manual-page",
                        [&app]() {
                          std::cout << manualPage(app);
                          throw CLI::Success();
                        })
      ->group("")
      ->trigger_on_parse();
}

}  // namespace gavel
