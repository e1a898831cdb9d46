#include "auction/text.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/auction/log.h"

// The names and item texts that are valid.
namespace gavel::auction::test {
namespace {

TEST(Name, HasOneToMaximalBytes) {
  EXPECT_FALSE(validName(""));
  EXPECT_TRUE(validName("a"));
  EXPECT_TRUE(validName(std::string(128, 'a')));
  EXPECT_FALSE(validName(std::string(129, 'a')));
  EXPECT_FALSE(validName(std::string(10'000, 'a')));
}

TEST(Name, IsMeasuredInBytesNotCodePoints) {
  std::string euros;
  for (int i = 0; i < 42; ++i) euros += "\u20ac";  // 3 bytes each.
  EXPECT_TRUE(validName(euros + "ab"));            // 128
  EXPECT_FALSE(validName(euros + "abc"));
}

TEST(Name, MayBeAnyUtf8) {
  EXPECT_TRUE(validName("a b"));
  EXPECT_TRUE(validName("J\u00fcrgen"));
  EXPECT_TRUE(validName("\u5165\u672d"));
  EXPECT_TRUE(validName("\U0001F528"));
  EXPECT_TRUE(validName("\xc2\xa0"));          // U+00A0, the first after the C1 controls.
  EXPECT_TRUE(validName("\xdf\xbf"));          // U+07FF
  EXPECT_TRUE(validName("\xe0\xa0\x80"));      // U+0800
  EXPECT_TRUE(validName("\xed\x9f\xbf"));      // U+D7FF
  EXPECT_TRUE(validName("\xee\x80\x80"));      // U+E000
  EXPECT_TRUE(validName("\xef\xbf\xbf"));      // U+FFFF
  EXPECT_TRUE(validName("\xf0\x90\x80\x80"));  // U+10000
  EXPECT_TRUE(validName("\xf4\x8f\xbf\xbf"));  // U+10FFFF
}

TEST(Name, IsRefusedIfNotStrictUtf8) {
  EXPECT_FALSE(validName("\x80"));              // A continuation byte alone.
  EXPECT_FALSE(validName("a\xbf"));             //
  EXPECT_FALSE(validName("\xc3"));              // Cut off.
  EXPECT_FALSE(validName("\xe2\x82"));          //
  EXPECT_FALSE(validName("\xf0\x9f\x94"));      //
  EXPECT_FALSE(validName("\xc3(a"));            // Not continued.
  EXPECT_FALSE(validName("\xe2\x82(a"));        //
  EXPECT_FALSE(validName("\xc1\xbf"));          // Overlong U+007F.
  EXPECT_FALSE(validName("\xe0\x9f\xbf"));      // Overlong U+07FF.
  EXPECT_FALSE(validName("\xf0\x8f\xbf\xbf"));  // Overlong U+FFFF.
  EXPECT_FALSE(validName("\xed\xa0\x80"));      // Surrogate U+D800.
  EXPECT_FALSE(validName("\xed\xbf\xbf"));      // Surrogate U+DFFF.
  EXPECT_FALSE(validName("\xf4\x90\x80\x80"));  // U+110000.
  EXPECT_FALSE(validName("\xf8\x88\x80\x80\x80"));
  EXPECT_FALSE(validName("\xff"));
}

TEST(Name, IsRefusedWithControlCharacters) {
  EXPECT_FALSE(validName(std::string(1, '\0')));
  EXPECT_FALSE(validName("a\nb"));
  EXPECT_FALSE(validName("a\tb"));
  EXPECT_FALSE(validName("\x1f"));
  EXPECT_TRUE(validName("\x20"));
  EXPECT_TRUE(validName("\x7e"));
  EXPECT_FALSE(validName("\x7f"));
  EXPECT_FALSE(validName("\xc2\x80"));  // U+0080
  EXPECT_FALSE(validName("\xc2\x9f"));  // U+009F
}

TEST(Item, HasUpToMaximalBytes) {
  EXPECT_TRUE(validItem(""));
  EXPECT_TRUE(validItem(std::string(4096, 'a')));
  EXPECT_FALSE(validItem(std::string(4097, 'a')));
}

TEST(Item, MayHaveNewlinesAndTabsButNoOtherControlCharacters) {
  EXPECT_TRUE(validItem("a\n\tb"));
  EXPECT_FALSE(validItem("a\rb"));
  EXPECT_FALSE(validItem(std::string("a\0b", 3)));
  EXPECT_FALSE(validItem("\xc2\x85"));
  EXPECT_FALSE(validItem("\xff"));
}

TEST(Name, IsCheckedInEveryCommand) {
  Log log(plainTerms());
  const std::string tooLong(129, 'n');
  const std::string longest(128, 'n');
  const auto argument = [&](const Command& command) {
    const Judgement judgement = log.judge(command);
    EXPECT_FALSE(judgement.log && judgement.outcome.kind == Kind::invalidArgument);
    return judgement.outcome.argument;
  };
  for (const std::string& bad: {std::string(), tooLong, std::string("\xff"), std::string("a\nb")}) {
    EXPECT_EQ(argument(bid(bad, "ann", 1)), Argument::auctionName);
    EXPECT_EQ(argument(bid("lamp", bad, 1)), Argument::bidderName);
    EXPECT_EQ(argument(create(bad)), Argument::auctionName);
    EXPECT_EQ(argument(CreateAuction{"vase", identity(bad), plainTerms()}), Argument::bidderName);
    EXPECT_EQ(argument(CloseAuction{bad, identity("owner")}), Argument::auctionName);
    EXPECT_EQ(argument(CloseAuction{"lamp", identity(bad)}), Argument::bidderName);
    EXPECT_EQ(argument(CancelAuction{bad, identity("owner")}), Argument::auctionName);
    EXPECT_EQ(argument(CancelAuction{"lamp", identity(bad)}), Argument::bidderName);
  }
  EXPECT_EQ(log.apply(create(longest)).kind, Kind::success);
  EXPECT_EQ(log.apply(bid(longest, longest, 1)).kind, Kind::success);
  EXPECT_EQ(log.leader(longest), longest);
}

}  // namespace
}  // namespace gavel::auction::test
