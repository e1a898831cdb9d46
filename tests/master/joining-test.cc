#include "master/joining.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/master/validate.h"

namespace gavel::master {
namespace {

using ::testing::HasSubstr;

Member member(unsigned number, bool serving = true) {
  return {"n" + std::to_string(number), "host:" + std::to_string(7400 + number), 100 + number,
          200 + number, serving};
}

Configuration chain(unsigned serving) {
  Configuration configuration{77, 5, {}, 0, "test"};
  for (unsigned i = 1; i <= serving; ++i) configuration.members.push_back(member(i));
  return configuration;
}

Newcomer newcomer(unsigned number, std::uint64_t last = 0) {
  Newcomer result;
  result.candidate.member = member(number);
  result.candidate.clusterId = last == 0 ? 0 : 77;
  result.candidate.empty = last == 0;
  result.candidate.last = last;
  result.heard = true;
  return result;
}

std::string joins(const std::vector<Newcomer>& newcomers, unsigned replicas = 3) {
  auto decision = join(chain(2), newcomers, replicas);
  if (auto* next = std::get_if<Configuration>(&decision)) {
    EXPECT_EQ(validate(chain(2), *next), std::nullopt);
    return next->joiner()->name;
  }
  return "";
}

// Every combination of the obstacles for one node.
TEST(Joining, NamesExactlyTheEligible) {
  unsigned eligible = 0;
  for (unsigned bits = 0; bits < 256; ++bits) {
    auto is = [&](unsigned bit) { return (bits >> bit & 1) != 0; };
    auto node = newcomer(4);
    node.heard = is(0);
    node.skewed = is(1);
    node.drained = is(2);
    if (is(3)) node.wait = 4 * kj::SECONDS;
    node.candidate.empty = is(4);
    node.candidate.clusterId = is(5) ? 77 : is(6) ? 66 : 0;
    node.wanted = is(7);
    bool belongs = is(5) || (!is(6) && is(4));
    bool expected = is(0) && !is(1) && !is(2) && !is(3) && belongs;
    EXPECT_EQ(whyNotEligible(chain(2), node).empty(), expected) << bits;
    EXPECT_EQ(joins({node}, 3), expected ? "n4" : "") << bits;
    EXPECT_EQ(joins({node}, 2), expected && node.wanted ? "n4" : "") << bits;
    if (expected) ++eligible;
  }
  EXPECT_EQ(eligible, 2u * (4 + 1));
}

TEST(Joining, SaysWhatStandsInTheWay) {
  auto node = newcomer(4);
  node.wait = 4 * kj::SECONDS;
  EXPECT_THAT(whyNotEligible(chain(2), node), HasSubstr("flapping"));
  EXPECT_THAT(whyNotEligible(chain(2), node), HasSubstr("4s left"));
  node.drained = true;
  EXPECT_THAT(whyNotEligible(chain(2), node), HasSubstr("`gavel chain add n4`"));
  auto decision = join(chain(2), {newcomer(4)}, 2);
  EXPECT_EQ(std::get<Unchanged>(decision).why, "spare: the chain has its length of 2");
}

TEST(Joining, PrefersTheQuickestToCatchUp) {
  EXPECT_EQ(joins({newcomer(10), newcomer(4), newcomer(5)}), "n4");
  EXPECT_EQ(joins({newcomer(4), newcomer(5, 90), newcomer(6, 100)}), "n6");
  auto wanted = newcomer(9);
  wanted.wanted = true;
  EXPECT_EQ(joins({newcomer(4), newcomer(6, 100), wanted}), "n9");
  auto deaf = newcomer(6, 100);
  deaf.heard = false;
  EXPECT_EQ(joins({newcomer(4), deaf}), "n4");
}

TEST(Joining, TakesOneAtATime) {
  auto busy = chain(1);
  busy.members.push_back(member(3, false));
  auto decision = join(busy, {newcomer(4)}, 5);
  EXPECT_EQ(std::get<Unchanged>(decision).why, "waits until n3 has joined");
  EXPECT_TRUE(std::holds_alternative<Unchanged>(join({}, {newcomer(4)}, 3)));
}

TEST(Joining, TakesTheSameProcessBack) {
  // n2 was removed though it lives.
  auto decision = join(chain(1), {newcomer(2, 50)}, 2);
  EXPECT_EQ(std::get<Configuration>(decision).describe(), "n1 > n2 (syncing)");
}

TEST(Joining, DoesNotTakeANamesakeOfAMember) {
  auto node = newcomer(2);
  node.candidate.member.storeId = 999;
  node.candidate.member.incarnation = 998;
  EXPECT_THAT(whyNotEligible(chain(2), node), HasSubstr("has its name"));
}

}  // namespace
}  // namespace gavel::master
