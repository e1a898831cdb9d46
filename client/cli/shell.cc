#include <cstdio>
#include <iostream>
#include <sstream>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <kj/debug.h>

#include "client/cli/arguments.h"
#include "client/cli/context.h"
#include "client/cli/credential.h"
#include "client/cli/line-editor.h"
#include "client/cli/shell-session.h"
#include "client/cli/terminal-line.h"

namespace gavel::client::cli {
namespace {

struct Options {
  std::string auction = "default";
  std::string commands;  // -c
};

// The shell at a terminal: the line stays while events are printed above it.
class Interactive final: private kj::TaskSet::ErrorHandler {
public:
  Interactive(Context& context, const std::string& auction)
      : context(context),
        editor(context.io.unixEventPort, {"", historyFile(),
                                          [](const std::vector<std::string>& before) {
                                            return before.size() == 1 ? ShellSession::commands()
                                                                      : std::vector<std::string>();
                                          }}),
        session(context, auction,
                [this](kj::FunctionParam<void()> print) { editor.above([&]() { print(); }); }),
        tasks(*this) {}

  kj::Promise<int> run() {
    editor.setPrompt(session.prompt());
    tasks.add(session.follow());
    return lines().exclusiveJoin(context.stopRequested().then([]() -> int { return INTERRUPTED; }));
  }

private:
  Context& context;
  LineEditor editor;
  ShellSession session;
  kj::TaskSet tasks;

  static std::string historyFile() {
    try {
      return configDirectory() + "/shell-history";
    } catch (const EnvironmentError&) {
      return "";
    }
  }

  kj::Promise<int> lines() {
    return editor.read().then([this](kj::Maybe<std::string> line) -> kj::Promise<int> {
      KJ_IF_MAYBE (text, line) {
        if (ShellSession::ends(*text)) return static_cast<int>(DONE);
        // The result is printed above the line that is typed meanwhile.
        tasks.add(session.carryOut(*text).ignoreResult());
        editor.setPrompt(session.prompt());
        return lines();
      }
      return static_cast<int>(DONE);
    });
  }

  void taskFailed(kj::Exception&& exception) override {
    editor.above([&]() { context.print.error(exception.getDescription().cStr()); });
  }
};

// The shell for a pipe or -c: one command after the other.  Resolves to the exit code of the first
// that failed.
class Script {
public:
  Script(Context& context, const std::string& auction, std::istream& input)
      : session(context, auction, [](kj::FunctionParam<void()> print) { print(); }), input(input) {}

  kj::Promise<int> run() {
    std::string line;
    if (!std::getline(input, line) || ShellSession::ends(line)) return code;
    return session.carryOut(line).then([this](int came) {
      if (code == DONE) code = came;
      return run();
    });
  }

private:
  ShellSession session;
  std::istream& input;
  int code = DONE;
};

template <typename T>
kj::Promise<int> running(kj::Own<T> what) {
  auto promise = what->run();
  return promise.attach(kj::mv(what));
}

// Asks a user at a terminal for their name if it was not given.
kj::Promise<void> askForName(Context& context) {
  if (context.settings.asGiven) return kj::READY_NOW;
  return askOnTerminal(context, "Your name [" + context.settings.as + "]: ")
      .then([&context](std::string typed) {
        if (!typed.empty()) context.actAs(readName("name", typed));
      });
}

kj::Promise<int> shell(Context& context, const Options& options) {
  if (!options.commands.empty()) {
    std::string text = options.commands;
    for (char& c: text) c = c == ';' ? '\n' : c;
    auto input = kj::heap<std::istringstream>(text);
    auto& reference = *input;
    return running(kj::heap<Script>(context, options.auction, reference)).attach(kj::mv(input));
  }
  if (!canAsk() || !isatty(STDOUT_FILENO)) {
    return running(kj::heap<Script>(context, options.auction, std::cin));
  }
  return askForName(context).then([&context, auction = options.auction]() {
    return running(kj::heap<Interactive>(context, auction));
  });
}

}  // namespace

void addShell(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("shell", "Bids and looks on, at a prompt or from a script");
  command->add_option("-a,--auction", options->auction, "The auction to begin with")
      ->capture_default_str();
  command->add_option("-c", options->commands,
                      "Commands instead of standard input, with ; between");
  command->footer(
      "Type help there.  From a pipe, and with -c, one command runs after the other;\n"
      "the exit code is that of the first that did not succeed.");
  command->callback([options, &chosen]() {
    chosen.stopsItself = true;
    chosen.prepare = [options]() -> Run {
      readName("--auction", options->auction);
      return [options](Context& context) { return shell(context, *options); };
    };
  });
}

}  // namespace gavel::client::cli
