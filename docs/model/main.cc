// Explores the model of the protocol (docs/model/README.md).

#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "docs/model/explorer.h"

namespace gavel::model {
namespace {

constexpr int USAGE = 2;
// Takes a table of 2 GiB, and the states at the edge.
constexpr std::size_t MOST_STATES = 100'000'000;

// Bounds with the number of states within them.  The number differs if the model changes, or if a
// part of it is never reached.
struct Known {
  Bounds bounds;
  std::size_t states;
};
const Known STANDARD[] = {
    {{1, 1, 3, 5, 4, true}, 2382},
    {{2, 2, 2, 4, 2, true}, 505523},
    {{2, 1, 2, 5, 1, true}, 294749},
    {{3, 2, 1, 4, 0, true}, 1014161},
    {{3, 3, 2, 3, 0, true}, 2049909},
    {{3, 3, 1, 3, 2, true}, 3228420},
    {{2, 2, 2, 3, 1, true, 1, 1}, 481160},
    {{2, 2, 2, 4, 1, true, 0, 0, 2}, 80513},
    {{3, 3, 1, 3, 0, true, 0, 0, 2}, 114698},
    {{2, 2, 1, 4, 1, true, 0, 0, 1, 2}, 580823},
    {{3, 2, 1, 4, 0, false, 0, 0, 1, 1}, 3087073},
};

std::string text(const Bounds& bounds) {
  return std::to_string(bounds.slots) + " nodes, " + std::to_string(bounds.chain) +
         " in the chain, " + std::to_string(bounds.bids) + " bids, " +
         std::to_string(bounds.epochs) + " epochs, " + std::to_string(bounds.crashes) + " crashes" +
         (bounds.copies == 0 ? "" : ", " + std::to_string(bounds.copies) + " copies") +
         (bounds.orders == 0 ? "" : ", " + std::to_string(bounds.orders) + " orders") +
         (bounds.least <= 1 ? "" : ", " + std::to_string(bounds.least) + " at least") +
         (bounds.rounds == 0 ? "" : ", " + std::to_string(bounds.rounds) + " rounds of promises") +
         (bounds.reads ? "" : ", no reads");
}

const char* outcome(const Findings& findings) {
  if (!findings.broken.empty()) return "BROKEN";
  return findings.complete ? "complete" : "NOT COMPLETE";
}

void print(const Findings& findings) {
  for (auto& line: findings.trace) std::printf("  %s\n", line.c_str());
  if (!findings.broken.empty()) std::printf("  BROKEN: %s\n", findings.broken.c_str());
}

// Whether nothing is broken.  `states` is the expected number of states; 0 if that is not known.
bool explored(const Options& options, std::size_t limit, std::size_t states) {
  auto findings = explore(Model(options), limit);
  std::printf("MODEL %s: %zu states, %zu transitions, %d steps deep, %s, %.1f s\n",
              text(options.bounds).c_str(), findings.states, findings.transitions, findings.depth,
              outcome(findings), findings.seconds);
  if (findings.complete) {
    std::printf("  ");
    for (auto& [name, count]: findings.steps) std::printf(" %s %zu", name.c_str(), count);
    std::printf("\n");
  }
  print(findings);
  std::fflush(stdout);
  if (!findings.broken.empty()) return false;
  if (states != 0 && (!findings.complete || findings.states != states)) {
    std::printf(
        "  there used to be %zu states: if the model was meant to change, change the number "
        "in main.cc and README.md\n",
        states);
    return false;
  }
  return true;
}

Options optionsFor(const VariantInfo& info, bool inner, bool eachWord) {
  Options options;
  options.bounds = info.bounds;
  options.variant = info.variant;
  options.nets = inner;
  options.innerProperties = inner;
  options.eachWord = eachWord;
  return options;
}

// Whether each weakened rule is caught, and each harmless one breaks nothing.
bool allCaught(std::size_t limit, bool eachWord) {
  bool good = true;
  std::printf("MODEL %-26s %-4s %5s %9s  %s\n", "weakened rule", "", "steps", "states", "breaks");
  for (auto& info: variants()) {
    auto findings = explore(Model(optionsFor(info, info.inner, eachWord)), limit);
    bool caught = !findings.broken.empty();
    std::printf("MODEL %-26s %-4s %5d %9zu  %s\n", std::string(info.name).c_str(),
                std::string(info.rule).c_str(), findings.depth, findings.states,
                caught ? findings.broken.c_str()
                       : (findings.complete ? "nothing: all was seen" : "NOT COMPLETE"));
    std::fflush(stdout);
    if (info.harmless ? caught || !findings.complete : !caught) {
      std::printf("  UNEXPECTED: %s\n", std::string(info.text).c_str());
      print(findings);
      good = false;
    }
  }
  return good;
}

void addBounds(CLI::App& app, Bounds& bounds) {
  app.add_option("--nodes", bounds.slots, "all nodes")->check(CLI::Range(1, MAX_SLOTS));
  app.add_option("--chain", bounds.chain, "in the first configuration")
      ->check(CLI::Range(1, MAX_SLOTS));
  app.add_option("--bids", bounds.bids, "placed")->check(CLI::Range(1, MAX_BIDS));
  app.add_option("--epochs", bounds.epochs, "stored, the first one included")
      ->check(CLI::Range(1, MAX_EPOCHS));
  app.add_option("--crashes", bounds.crashes, "of processes or their power")
      ->check(CLI::Range(0, 8));
  app.add_option("--copies", bounds.copies, "older copies of stores in their places")
      ->check(CLI::Range(0, 8));
  app.add_option("--orders", bounds.orders, "of operators that give entries up")
      ->check(CLI::Range(0, 8));
  app.add_option("--least", bounds.least, "members that have to serve")
      ->check(CLI::Range(1, MAX_SLOTS));
  app.add_option("--rounds", bounds.rounds, "of promises, to rebuild a master that is lost")
      ->check(CLI::Range(0, 2));
  app.add_flag("!--no-reads", bounds.reads, "nobody reads");
}

bool sensible(const Bounds& bounds) {
  if (bounds.chain <= bounds.slots) return true;
  std::fprintf(stderr, "--chain %d: there are %d nodes only\n", bounds.chain, bounds.slots);
  return false;
}

int run(int argc, char** argv) {
  CLI::App app("Explores the model of the protocol (docs/model/README.md)", "model");
  app.require_subcommand(1);
  std::size_t limit = MOST_STATES;
  bool eachWord = false;
  app.add_flag("--each-word", eachWord, "words and answers of reads are steps of their own");
  app.add_option("--limit", limit, "states to stop at")->capture_default_str();

  auto* check = app.add_subcommand("check", "The rules as they are: within the standard bounds");
  Bounds bounds;
  bounds.crashes = 1;
  auto* within = app.add_subcommand("within", "The rules as they are: within the bounds given");
  addBounds(*within, bounds);

  auto* caught = app.add_subcommand("variants", "Each weakened rule: is it caught?");

  std::string name;
  bool inner = false;
  bool visible = false;
  auto* one = app.add_subcommand("variant", "One weakened rule, with the shortest trace");
  one->add_option("name", name)->required();
  auto* innerFlag =
      one->add_flag("--inner", inner, "halt where R4 is broken, and check what no client sees");
  one->add_flag("--visible", visible, "only what clients see")->excludes(innerFlag);
  // Bounds that are not given are those of the variant.
  Bounds own{0, 0, 0, 0, -1, true, -1, -1, 0, -1};
  addBounds(*one, own);

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return USAGE;
  }

  if (check->parsed()) {
    bool good = true;
    for (auto& known: STANDARD) {
      good = explored({known.bounds, Variant::none, true, true, eachWord}, limit,
                      eachWord ? 0 : known.states) &&
             good;
    }
    return good ? 0 : 1;
  }
  if (within->parsed()) {
    if (!sensible(bounds)) return USAGE;
    return explored({bounds, Variant::none, true, true, eachWord}, limit, 0) ? 0 : 1;
  }
  if (caught->parsed()) return allCaught(limit, eachWord) ? 0 : 1;
  auto* info = findVariant(name);
  if (info == nullptr) {
    std::fprintf(stderr, "no variant \"%s\"; `model variants` lists them\n", name.c_str());
    return USAGE;
  }
  auto options = optionsFor(*info, inner || (info->inner && !visible), eachWord);
  if (own.slots != 0) options.bounds.slots = own.slots;
  if (own.chain != 0) options.bounds.chain = own.chain;
  if (own.bids != 0) options.bounds.bids = own.bids;
  if (own.epochs != 0) options.bounds.epochs = own.epochs;
  if (own.crashes >= 0) options.bounds.crashes = own.crashes;
  if (own.copies >= 0) options.bounds.copies = own.copies;
  if (own.orders >= 0) options.bounds.orders = own.orders;
  if (own.least != 0) options.bounds.least = own.least;
  if (own.rounds >= 0) options.bounds.rounds = own.rounds;
  if (!sensible(options.bounds)) return USAGE;
  return explored(options, limit, 0) ? 1 : 0;
}

}  // namespace
}  // namespace gavel::model

int main(int argc, char** argv) {
  return gavel::model::run(argc, argv);
}
