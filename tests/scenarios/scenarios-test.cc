#include "tests/scenarios/scenarios.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

// Each scenario, told again, has to be what its file says.  With GAVEL_RENEW_SCENARIOS in the
// environment the files are written instead (tests/scenarios/renew).
namespace gavel::scenarios {

void PrintTo(const Scenario& scenario, std::ostream* stream) {
  *stream << scenario.name;
}

namespace {

const std::filesystem::path FOLDER = GAVEL_SCENARIOS;
constexpr const char* ENDING = ".txt";
// Lines before the first that differs, and from it on.
constexpr int BEFORE = 3;
constexpr int FROM = 8;

std::string read(const std::filesystem::path& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// Some lines of a text around the one that has the character at `at`.
std::string around(const std::string& text, std::size_t at) {
  auto begin = at;
  for (int line = 0; line <= BEFORE && begin != 0; ++line) {
    begin = text.rfind('\n', begin - 1);
    if (begin == std::string::npos) begin = 0;
  }
  auto end = at;
  for (int line = 0; line < FROM && end != std::string::npos; ++line)
    end = text.find('\n', end + 1);
  return text.substr(begin, end - begin);
}

std::string difference(const std::string& file, const std::string& told) {
  auto at = std::mismatch(file.begin(), file.end(), told.begin(), told.end()).first - file.begin();
  auto first = static_cast<std::size_t>(at);
  return fmt::format("the file:{}\n\ntold now:{}\n", around(file, first), around(told, first));
}

class ScenarioTest: public ::testing::TestWithParam<Scenario> {};

TEST_P(ScenarioTest, IsAsItsFileSays) {
  auto& scenario = GetParam();
  auto told = tell(scenario);
  auto again = tell(scenario);
  ASSERT_TRUE(told == again) << "it is not the same each time: " << difference(told, again);
  auto path = FOLDER / (std::string(scenario.name) + ENDING);
  if (std::getenv("GAVEL_RENEW_SCENARIOS") != nullptr) {
    std::ofstream(path) << told;
    return;
  }
  auto file = read(path);
  EXPECT_TRUE(file == told) << difference(file, told)
                            << "\nIf that is as it should be: tests/scenarios/renew "
                            << scenario.name;
}

std::string nameOf(const ::testing::TestParamInfo<Scenario>& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Scenarios, ScenarioTest, ::testing::ValuesIn(scenarios()), nameOf);

TEST(Scenarios, HaveOneFileEach) {
  std::size_t files = 0;
  for (auto& entry: std::filesystem::directory_iterator(FOLDER)) {
    if (entry.path().extension() != ENDING || entry.path().filename() == "CMakeLists.txt") continue;
    ++files;
    auto& all = scenarios();
    EXPECT_TRUE(
        std::any_of(all.begin(), all.end(),
                    [&](const Scenario& scenario) { return entry.path().stem() == scenario.name; }))
        << "no scenario tells " << entry.path();
  }
  EXPECT_EQ(files, scenarios().size());
}

}  // namespace
}  // namespace gavel::scenarios
