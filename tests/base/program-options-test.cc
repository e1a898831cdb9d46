#include "base/program-options.h"

#include <cstdlib>
#include <fstream>

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual-page.h"
#include "tests/support/fakes.h"

namespace gavel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ProgramOptions: public ::testing::Test {
protected:
  ProgramOptions() {
    app.add_option("--listen", listen, "Where")->capture_default_str();
    app.add_option("--replicas", replicas, "How many")->check(CLI::Range(1, 9));
    app.add_option("--master", masters, "Whom")->delimiter(',');
    app.add_flag("--careful", careful, "Be careful");
    declareConfiguration(app, "GAVEL_TEST");
  }
  ~ProgramOptions() noexcept override {
    for (auto* name: {"GAVEL_TEST_LISTEN", "GAVEL_TEST_CONFIG", "GAVEL_TEST_REPLICAS"})
      unsetenv(name);
  }

  std::string file(const std::string& text) {
    auto path = directory.path() + "/options.toml";
    std::ofstream(path) << text;
    return path;
  }
  void parse(std::vector<std::string> words) {
    words.insert(words.begin(), "program");
    std::vector<char*> argv;
    for (auto& word: words) argv.push_back(word.data());
    parseConfigured(app, "GAVEL_TEST", static_cast<int>(argv.size()), argv.data());
  }
  std::string problem(std::vector<std::string> words) {
    try {
      parse(std::move(words));
    } catch (const CLI::Error& error) {
      return error.what();
    }
    return "none";
  }

  gavel::testing::TemporaryDirectory directory;
  CLI::App app{"A test", "program"};
  std::string listen = "default";
  int replicas = 3;
  std::vector<std::string> masters;
  bool careful = false;
};

TEST_F(ProgramOptions, CommandLineComesBeforeEnvironmentBeforeFileBeforeDefault) {
  auto path = file("listen = 'file'\nreplicas = 5\nmaster = ['a:1', 'b:2']\ncareful = true\n");
  parse({"--config", path});
  EXPECT_EQ(listen, "file");
  EXPECT_EQ(replicas, 5);
  EXPECT_THAT(masters, ElementsAre("a:1", "b:2"));
  EXPECT_TRUE(careful);
  setenv("GAVEL_TEST_LISTEN", "environment", 1);
  parse({"--config=" + path});
  EXPECT_EQ(listen, "environment");
  parse({"--config", path, "--listen", "command", "--replicas=7"});
  EXPECT_EQ(listen, "command");
  EXPECT_EQ(replicas, 7);
  unsetenv("GAVEL_TEST_LISTEN");
  setenv("GAVEL_TEST_CONFIG", path.c_str(), 1);
  parse({});
  EXPECT_EQ(listen, "file");
}

TEST_F(ProgramOptions, ErrorsNameFileLineAndKey) {
  auto path = file("listen = 'x'\nreplica = 5\n");
  EXPECT_EQ(problem({"--config", path}),
            path + " line 2 (replica): there is no such option; did you mean replicas?");
  path = file("\nreplicas = 50\n");
  EXPECT_THAT(problem({"--config", path}), HasSubstr(path + " line 2 (replicas): --replicas: "));
  path = file("listen = \n");
  EXPECT_THAT(problem({"--config", path}), HasSubstr(path + " line 1: "));
  path = file("careful = 'perhaps'\n");
  EXPECT_EQ(problem({"--config", path}),
            path + " line 1 (careful): must be true or false, not \"perhaps\"");
  path = file("listen = 1.5\n");
  EXPECT_THAT(problem({"--config", path}), HasSubstr("line 1 (listen): must be a text"));
  EXPECT_THAT(problem({"--config", directory.path() + "/none.toml"}), HasSubstr("none.toml: "));
  setenv("GAVEL_TEST_REPLICAS", "50", 1);
  EXPECT_THAT(problem({}), HasSubstr("GAVEL_TEST_REPLICAS: --replicas: "));
}

TEST_F(ProgramOptions, ManualPageTellsEveryOptionAndNothingIsTakenForARequest) {
  addManualPage(app);
  auto page = manualPage(app);
  EXPECT_THAT(page, HasSubstr(".TH PROGRAM 1"));
  EXPECT_THAT(page, HasSubstr("\\fB\\-\\-listen\\fR"));
  EXPECT_THAT(page, HasSubstr("Where (default: default)"));
  EXPECT_THAT(page, HasSubstr("GAVEL_TEST_LISTEN"));
  EXPECT_THAT(page, ::testing::Not(HasSubstr("manual\\-page")));
}

}  // namespace
}  // namespace gavel
