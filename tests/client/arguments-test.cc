#include "client/cli/arguments.h"

#include <gtest/gtest.h>

#include "base/closest.h"
#include "base/duration.h"
#include "client/cli/exit-code.h"
#include "client/cli/output.h"
#include "client/message.h"

namespace gavel::client::cli {
namespace {

TEST(Arguments, ReadsIncrements) {
  auto read = [](const std::string& text) {
    auto increment = Message<schema::Increment>::make(
        [&](schema::Increment::Builder builder) { readIncrement("i", text, builder); });
    return incrementOf(increment.get());
  };
  EXPECT_EQ(read("5"), "5");
  EXPECT_EQ(read("2.5%"), "2.5%");
  EXPECT_EQ(read("10%"), "10%");
  EXPECT_EQ(read("0.01%"), "0.01%");
  EXPECT_EQ(read("1000%"), "1000%");
  for (auto text: {"0%", "1000.01%", "-1%", "1.234%", "", "x", "x%", "0", "2,5%"}) {
    EXPECT_THROW(read(text), UsageError) << text;
  }
}

TEST(Arguments, ReadsTheWholeRangeOfAmounts) {
  EXPECT_EQ(readAmount("a", "9223372036854775807"), INT64_MAX);
  EXPECT_EQ(readAmount("a", "1"), 1);
  EXPECT_EQ(readAmountOrZero("a", "0"), 0);
  for (auto text: {"+1", " 1", "1 ", "0x10", "1,000", "--1"}) {
    EXPECT_THROW(readAmount("a", text), UsageError) << text;
  }
}

TEST(Arguments, SuggestsOnlyWhatIsNear) {
  std::vector<std::string> commands = {"bid", "result", "history", "auctions"};
  EXPECT_EQ(closest("bdi", commands), "bid");
  EXPECT_EQ(closest("reslut", commands), "result");
  EXPECT_EQ(closest("auction", commands), "auctions");
  EXPECT_EQ(closest("zzz", commands), "");
}

TEST(Arguments, QuotesForTheShell) {
  EXPECT_EQ(shellQuoted("plain-1.5%"), "plain-1.5%");
  EXPECT_EQ(shellQuoted("old lamp"), "'old lamp'");
  EXPECT_EQ(shellQuoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shellQuoted(""), "''");
}

TEST(Output, EscapesJson) {
  JsonLine line;
  EXPECT_EQ(
      line.text("name", "a\"b\n\x1b").number("n", 18446744073709551615u).finish(),
      kj::StringPtr("{\"v\":1,\"name\":\"a\\\"b\\n\\u001b\",\"n\":\"18446744073709551615\"}"));
}

TEST(Output, DisarmsControlCharacters) {
  EXPECT_EQ(printable("a\x1b[2Jb\nc"), "a?[2Jb?c");
}

TEST(Output, AlignsTables) {
  Table table({"NAME", "N"});
  table.add({"b\xc3\xa9", "1"});
  table.add({"longer", "22"});
  EXPECT_EQ(table.render(false), "NAME    N\nb\xc3\xa9      1\nlonger  22");
}

TEST(Duration, IsReadAsItIsWritten) {
  for (auto text: {"5s", "500ms", "10m", "1h30m", "7d", "9m58s", "1.5s", "2us", "0s"}) {
    EXPECT_EQ(formatDuration(parseDuration(text)), kj::StringPtr(text));
  }
  EXPECT_EQ(parseDuration("1.5h"), 90 * kj::MINUTES);
  EXPECT_EQ(parseDuration("0.000000001s"), 1 * kj::NANOSECONDS);
  for (auto text: {"", "5", "s", "-5s", "5x", "5 s", "1..5s", "106752d", "99999999999999999999s"}) {
    EXPECT_ANY_THROW(parseDuration(text)) << text;
  }
}

}  // namespace
}  // namespace gavel::client::cli
