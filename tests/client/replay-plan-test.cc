#include "client/cli/replay-plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/csv.h"
#include "client/cli/exit-code.h"
#include "tests/client/program.h"

namespace gavel::client::cli {
namespace {

using ::testing::HasSubstr;

std::vector<std::vector<std::string>> parse(std::string_view text) {
  CsvReader reader("f", text);
  std::vector<std::vector<std::string>> result;
  std::vector<CsvField> fields;
  while (reader.next(fields)) {
    result.emplace_back();
    for (auto& field: fields) result.back().push_back(field.text);
  }
  return result;
}

template <typename Action>
std::string usageError(Action action) {
  try {
    action();
  } catch (const UsageError& e) {
    return e.what();
  }
  return "no error";
}

using Rows = std::vector<std::vector<std::string>>;

TEST(CsvReader, ReadsRecords) {
  EXPECT_EQ(parse("a,b\nc,d\n"), (Rows{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(parse("a,b\r\nc,d"), (Rows{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(parse("\xef\xbb\xbf"
                  "a,\n\n,b\n"),
            (Rows{{"a", ""}, {"", "b"}}));
  EXPECT_EQ(parse(""), Rows{});
  EXPECT_EQ(parse("\n\r\n"), Rows{});
}

TEST(CsvReader, ReadsQuotedValues) {
  EXPECT_EQ(parse("\"a,b\",\"say \"\"hi\"\"\"\n\"two\nlines\",\"\"\n"),
            (Rows{{"a,b", "say \"hi\""}, {"two\nlines", ""}}));
}

TEST(CsvReader, NamesThePlaceOfAnError) {
  EXPECT_EQ(usageError([]() { parse("a,b\nc,\"d\n"); }),
            "f: line 2, column 3: the quote that begins here is never closed");
  EXPECT_THAT(usageError([]() { parse("a,\"b\"c\n"); }), HasSubstr("f: line 1, column 6"));
  EXPECT_THAT(usageError([]() { parse("a,b\"c\n"); }), HasSubstr("f: line 1, column 4"));
  EXPECT_THAT(usageError([]() { parse("\"x\ny\",a\rb\n"); }), HasSubstr("f: line 2, column 5"));
}

constexpr char HEADER[] = "auction,duration_s,at_s,bidder,amount_cents\n";

std::string planError(const std::string& text) {
  return usageError([&]() { readReplayPlan("f", text); });
}

TEST(ReplayPlan, KeepsTheOrderWithinAuctions) {
  auto plan = readReplayPlan("f", std::string(HEADER) + "a,60,0,x,5\nb,60,0,x,1\na,60,1.5,y,7\n");
  ASSERT_EQ(plan.auctions.size(), 2u);
  EXPECT_EQ(plan.bids, 3u);
  EXPECT_EQ(plan.auctions[0].name, "a");
  ASSERT_EQ(plan.auctions[0].bids.size(), 2u);
  EXPECT_EQ(plan.auctions[0].bids[1].bidder, "y");
  EXPECT_EQ(plan.auctions[0].bids[1].amount, 7);
  EXPECT_EQ(plan.auctions[0].bids[1].at, 1.5);
  EXPECT_FALSE(plan.auctions[0].price.has_value());
}

TEST(ReplayPlan, NamesThePlaceOfAnError) {
  EXPECT_EQ(planError(""), "f: line 1, column 1: the file is empty");
  EXPECT_THAT(
      planError("auction,duration_s,at_s,biddr,amount_cents\n"),
      HasSubstr("f: line 1, column 25: there is no column \"biddr\"; did you mean bidder?"));
  EXPECT_THAT(planError("auction,duration_s\n"), HasSubstr("column at_s is missing"));
  EXPECT_THAT(planError("auction,auction\n"), HasSubstr("column auction is there twice"));
  auto row = [](const std::string& line) { return planError(HEADER + line); };
  EXPECT_THAT(row("a,60,0,x\n"),
              HasSubstr("f: line 2, column 8: the line has 4 values, the header 5"));
  EXPECT_THAT(row("a,60,0,x,0\n"),
              HasSubstr("f: line 2, column 10: amount_cents: must be positive"));
  EXPECT_THAT(row("a,60,0,,5\n"), HasSubstr("f: line 2, column 8: bidder: must not be empty"));
  EXPECT_THAT(row("a,60,-1,x,5\n"), HasSubstr("f: line 2, column 6: at_s"));
  EXPECT_THAT(row("a,60,nan,x,5\n"), HasSubstr("at_s"));
  EXPECT_THAT(row("a,1h,0,x,5\n"), HasSubstr("duration_s: \"1h\" is not a number of seconds"));
}

TEST(ReplayPlan, ReadsTheSmallRecording) {
  auto contents = testing::readFile(TEST_DATA "/small-auctions.csv");
  auto plan = readReplayPlan("small-auctions.csv", contents);
  EXPECT_EQ(plan.auctions.size(), 6u);
  EXPECT_EQ(plan.bids, 60u);
  for (auto& auction: plan.auctions) {
    std::int64_t highest = 0;
    for (auto& bid: auction.bids) highest = std::max(highest, bid.amount);
    EXPECT_EQ(highest, auction.price.value()) << auction.name;
  }
}

}  // namespace
}  // namespace gavel::client::cli
