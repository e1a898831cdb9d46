#include "tests/history/history-file.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/exception.h>

#include "tests/history/generator.h"
#include "tests/support/fakes.h"

namespace gavel::history {
namespace {

using ::testing::HasSubstr;

History reread(const History& history) {
  std::stringstream stream;
  write(history, stream);
  return read(stream, "memory");
}

std::string problemOf(const std::string& text) {
  std::istringstream stream(text);
  auto exception = kj::runCatchingExceptions([&]() { read(stream, "some.history"); });
  KJ_IF_MAYBE (problem, exception) {
    return problem->getDescription().cStr();
  }
  return "";
}

TEST(HistoryFile, ReadsWhatItWrote) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    test::Generator generator(seed);
    auto history = generator.make({.operations = 30, .auctions = 3});
    ASSERT_EQ(reread(history), history);
    history = generator.mutate(history);
    ASSERT_EQ(reread(history), history);
  }
}

TEST(HistoryFile, KeepsTextsOfAnyBytes) {
  History history;
  Operation operation;
  operation.kind = Kind::bid;
  operation.auction = "a b=c%d\n\té";
  operation.who = std::string("\0\xff", 2);
  operation.outcome.kind = Outcome::Kind::unexpected;
  operation.outcome.detail = "# not a comment";
  history.add(operation);
  EXPECT_EQ(reread(history), history);
}

TEST(HistoryFile, KeepsTheLargestNumbers) {
  History history;
  Operation operation;
  operation.auction = "a";
  operation.amount = std::numeric_limits<std::int64_t>::max();
  operation.invoked = std::numeric_limits<std::int64_t>::min();
  operation.outcome.version = std::numeric_limits<std::uint64_t>::max();
  history.add(operation);
  EXPECT_EQ(reread(history), history);
}

TEST(HistoryFile, IsOneLinePerOperation) {
  std::istringstream stream(
      "gavel-history 1\n"
      "# by hand\n"
      "bid client=3 auction=lamp who=ann amount=120 invoked=1 returned=2 outcome=success "
      "version=3\n"
      "final auction=lamp invoked=8 returned=9 versions=1\n"
      "version version=1 kind=created who=owner index=7\n");
  auto history = read(stream, "memory");
  ASSERT_EQ(history.operations().size(), 1u);
  EXPECT_EQ(history.operations()[0].amount, 120);
  EXPECT_EQ(history.operations()[0].outcome.version, 3u);
  ASSERT_EQ(history.finals().size(), 1u);
  EXPECT_EQ(history.finals()[0].versions.at(0).index, 7u);
}

TEST(HistoryFile, SaysWhereItIsWrong) {
  const std::string title = "gavel-history 1\n";
  EXPECT_THAT(problemOf(""), HasSubstr("some.history:1: a history begins with"));
  EXPECT_THAT(problemOf("gavel-history 2\n"), HasSubstr("some.history:1: a history begins"));
  EXPECT_THAT(problemOf(title + "bet auction=a\n"),
              HasSubstr("some.history:2: no such operation: 'bet'"));
  EXPECT_THAT(problemOf(title + "#\n\n"), HasSubstr("some.history:3: no such operation: ''"));
  EXPECT_THAT(problemOf(title + "bid auction=a amount=1x outcome=unknown\n"),
              HasSubstr("some.history:2: amount is not a number it may be: 1x"));
  EXPECT_THAT(problemOf(title + "bid auction=a client=-1 outcome=unknown\n"),
              HasSubstr("client is not a number"));
  EXPECT_THAT(problemOf(title + "bid auction=a impostor=2 outcome=unknown\n"),
              HasSubstr("impostor is not a number it may be"));
  EXPECT_THAT(problemOf(title + "bid auction=a outcome=won\n"),
              HasSubstr("outcome is none of its words: 'won'"));
  EXPECT_THAT(problemOf(title + "bid auction=a\n"), HasSubstr("outcome is none of its words: ''"));
  EXPECT_THAT(problemOf(title + "bid auction=a price=3 outcome=unknown\n"),
              HasSubstr("no such field here: price"));
  EXPECT_THAT(problemOf(title + "bid auction=a auction=b outcome=unknown\n"),
              HasSubstr("twice: auction"));
  EXPECT_THAT(problemOf(title + "bid auction= outcome=unknown\n"),
              HasSubstr("not of the form name=value: 'auction='"));
  EXPECT_THAT(problemOf(title + "bid outcome=unknown\n"), HasSubstr("needs an auction"));
  EXPECT_THAT(problemOf(title + "bid auction=%4 outcome=unknown\n"),
              HasSubstr("'%' without two hexadecimal digits in auction"));
  EXPECT_THAT(problemOf(title + "final auction=a versions=2\nversion kind=bid\n"),
              HasSubstr("some.history:2: the file ends before all versions"));
  EXPECT_THAT(problemOf(title + "final auction=a versions=1\nbid kind=bid\n"),
              HasSubstr("some.history:3: a line 'version …' should be here"));
}

TEST(HistoryFile, NamesTheFileThatCannotBeUsed) {
  gavel::testing::TemporaryDirectory directory;
  auto path = directory.path() + "/no/such/file";
  for (bool saving: {false, true}) {
    auto exception = kj::runCatchingExceptions([&]() {
      if (saving) save({}, path);
      if (!saving) load(path);
    });
    KJ_IF_MAYBE (problem, exception) {
      EXPECT_THAT(problem->getDescription().cStr(), HasSubstr("/no/such/file"));
    } else {
      ADD_FAILURE() << "nothing was said";
    }
  }
  path = directory.path() + "/file";
  auto history = test::Generator(1).make({});
  save(history, path);
  EXPECT_EQ(load(path), history);
}

}  // namespace
}  // namespace gavel::history
