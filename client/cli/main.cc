#include <cstdio>
#include <cstring>

#include <CLI/CLI.hpp>
#include <kj/async-io.h>
#include <kj/debug.h>

#include "base/closest.h"
#include "base/logging.h"
#include "base/manual-page.h"
#include "base/process.h"
#include "base/random.h"
#include "client/cli/arguments.h"
#include "client/cli/context.h"

// The command line of Gavel.  Only this file opens the real network, clock and random source.
namespace gavel::client::cli {
namespace {

constexpr auto HINT_DELAY = 1 * kj::SECONDS;

void addGlobalOptions(CLI::App& app, Flags& flags) {
  auto* group = app.add_option_group("Global options", "Before or after the command");
  auto last = CLI::MultiOptionPolicy::TakeLast;
  group->add_option("-s,--server", flags.servers, "ADDR[,ADDR...] of any nodes or masters")
      ->delimiter(',')
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  group->add_option("--as", flags.as, "Name to act as; default: $USER")
      ->multi_option_policy(last)
      ->check([](const std::string& name) { return name.empty() ? "must not be empty" : ""; });
  group->add_option("--timeout", flags.timeout, "Time for all attempts of a call; default: 5s")
      ->multi_option_policy(last);
  group->add_option("-o,--output", flags.output, "table or json")->multi_option_policy(last);
  group->add_option("--color", flags.color, "auto, always or never")->multi_option_policy(last);
  group
      ->add_option("--credential-file", flags.credentialFile,
                   "Secret that proves the name; default: $XDG_CONFIG_HOME/gavel/credential")
      ->multi_option_policy(last);
  group
      ->add_option("--admin-token-file", flags.adminTokenFile,
                   "The cluster's admin token, for commands that change the chain or copy it")
      ->multi_option_policy(last);
  group
      ->add_option("--tls-ca", flags.tlsCa,
                   "Call by TLS, and believe certificates of this authority (PEM file)")
      ->multi_option_policy(last);
  group->add_flag("--new-cluster", flags.newCluster,
                  "Another cluster than before at these addresses is meant; remember it");
  group->add_flag("-v,--verbose", flags.verbose, "Say on stderr what is tried");
  group->add_flag("-q,--quiet", flags.quiet, "Nothing on stderr but errors");
}

// The parser of the last command word that was understood.
CLI::App* deepest(CLI::App* app) {
  for (;;) {
    auto parsed = app->get_subcommands();
    if (parsed.empty()) return app;
    app = parsed.front();
  }
}

// The words of a command: "gavel auctions".
std::string pathOf(CLI::App* app) {
  return app->get_parent() == nullptr ? "gavel" : pathOf(app->get_parent()) + " " + app->get_name();
}

// Reports what is wrong with the first word that was not understood.
[[noreturn]] void refuseWord(CLI::App& root, const std::string& word) {
  auto* command = deepest(&root);
  std::vector<std::string> candidates;
  std::string kind;
  if (word.size() > 1 && word[0] == '-') {
    kind = "option";
    for (auto* app = command; app != nullptr; app = app->get_parent()) {
      for (auto* option: app->get_options()) {
        for (auto& name: option->get_lnames()) candidates.push_back("--" + name);
      }
      for (auto* group:
           app->get_subcommands([](CLI::App* sub) { return sub->get_name().empty(); })) {
        for (auto* option: group->get_options()) {
          for (auto& name: option->get_lnames()) candidates.push_back("--" + name);
        }
      }
    }
  } else {
    for (auto* sub: command->get_subcommands([](CLI::App*) { return true; })) {
      if (!sub->get_name().empty()) candidates.push_back(sub->get_name());
    }
    kind = candidates.empty() ? "argument" : "command";
  }
  auto near = closest(word.substr(0, word.find('=')), candidates);
  throw UsageError("unknown " + kind + " \"" + word + "\"" +
                   (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
}

int usage(CLI::App& app, const std::string& problem) {
  std::fprintf(stderr, "gavel: %s\nTry '%s --help'.\n", problem.c_str(),
               pathOf(deepest(&app)).c_str());
  return USAGE;
}

kj::Maybe<RequestId> unfinished(const Command& command, Context& context) {
  if (!command.oneRequest) return nullptr;
  return context.client().lastRequest();
}

int carryOut(const Command& command, const Run& run, const Settings& settings,
             std::vector<std::string> words) {
  setUpLogging("gavel", LogFormat::text, settings.verbose ? LogLevel::debug : LogLevel::error);
  KjLogForwarder forwarder;
  captureStopSignals();
  kj::UnixEventPort::captureChildExit();
  auto io = setUpEventLoop();
  SystemRandom random;
  Context context(io, random, settings, std::move(words));
  auto promise = run(context);
  if (!command.stopsItself) {
    auto interrupted = context.stopRequested().then([&command, &context]() -> int {
      KJ_IF_MAYBE (id, unfinished(command, context)) {
        context.print.error(std::string("interrupted; whether request ") + kj::str(*id).cStr() +
                            " took effect may be asked with:\n  " + context.retryCommand(*id));
      }
      return INTERRUPTED;
    });
    promise = promise.exclusiveJoin(kj::mv(interrupted));
  }
  // A chain that does not answer is tried for as long as --timeout: show what is going on.
  auto hint = context.timer()
                  .afterDelay(HINT_DELAY)
                  .then([&context]() { context.noteIfLost(); })
                  .eagerlyEvaluate(nullptr);
  auto code = promise.wait(io.waitScope);
  context.noteCluster();
  if (int error = outputError(); error != 0) {
    context.print.error(std::string("cannot write the result: ") + strerror(error));
    if (code == DONE) return INTERNAL_ERROR;
  }
  return code;
}

int main(int argc, char** argv) {
  std::vector<std::string> words(argv, argv + argc);
  CLI::App app("Gavel: a distributed auction service", "gavel");
  app.set_version_flag("--version", "gavel " GAVEL_VERSION);
  app.set_help_all_flag("--help-all", "Help for all commands");
  // Unknown words are collected, for an error that suggests something.
  app.fallthrough();
  app.allow_extras();
  app.require_subcommand(0, 1);
  Flags flags;
  Command chosen;
  addGlobalOptions(app, flags);
  addUp(app, chosen);
  addBid(app, chosen);
  addQueries(app, chosen);
  addWatch(app, chosen);
  addShell(app, chosen);
  addAuctions(app, chosen);
  addChain(app, chosen);
  addReplay(app, chosen);
  addBench(app, chosen);
  addCompletion(app, chosen);
  addManualPage(app);
  // This comes last, since commands would inherit it.
  app.footer(
      "Each global option but --new-cluster, -v and -q may also be given as GAVEL_SERVER and so on "
      "in\n"
      "the environment, or in $XDG_CONFIG_HOME/gavel/config.toml (server = \"...\").\n"
      "Exit codes: 0 done, 1 internal error, 2 usage, 3 bid failed, 4 unavailable (certainly\n"
      "not applied), 5 outcome unknown, 6 no such auction, over, not permitted, or refused by a\n"
      "master, 7 degraded, 8 not serving (both: chain status --check), 130 interrupted.");

  try {
    app.parse(argc, argv);
    if (auto rest = app.remaining(true); !rest.empty()) refuseWord(app, rest.front());
    if (!chosen.prepare) {
      auto* command = deepest(&app);
      auto* parent = command->get_parent();
      std::fputs(command->help(parent == nullptr ? "" : pathOf(parent)).c_str(), stderr);
      return USAGE;
    }
    auto run = chosen.prepare();
    auto settings = resolveSettings(flags);
    return carryOut(chosen, run, settings, std::move(words));
  } catch (const CLI::Success& e) {  // --help, --version.
    return app.exit(e, std::cout, std::cerr);
  } catch (const CLI::ParseError& e) {
    if (auto rest = app.remaining(true); !rest.empty()) {
      try {
        refuseWord(app, rest.front());
      } catch (const UsageError& better) {
        return usage(app, better.what());
      }
    }
    return usage(app, e.what());
  } catch (const UsageError& e) {
    return usage(app, e.what());
  } catch (const EnvironmentError& e) {
    std::fprintf(stderr, "gavel: %s\n", e.what());
  } catch (const kj::Exception& e) {
    std::fprintf(stderr, "gavel: internal error: %s\n", kj::str(e).cStr());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gavel: internal error: %s\n", e.what());
  }
  return INTERNAL_ERROR;
}

}  // namespace
}  // namespace gavel::client::cli

int main(int argc, char** argv) {
  return gavel::client::cli::main(argc, argv);
}
