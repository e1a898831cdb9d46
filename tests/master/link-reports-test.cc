#include "master/link-reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gavel::master {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using State = LinkReport::State;

constexpr auto SUSPECT_AFTER = 1 * kj::SECONDS;
constexpr auto MOMENT = 10 * kj::MILLISECONDS;

class LinkReportsTest: public ::testing::Test {
protected:
  LinkReportsTest() {
    current.epoch = 5;
    for (std::uint64_t i = 1; i <= 4; ++i) {
      Member member;
      member.name = "n" + std::to_string(i);
      member.incarnation = i;
      member.storeId = 100 + i;
      member.serving = i != 4;
      current.members.push_back(member);
    }
  }
  ~LinkReportsTest() noexcept override = default;

  Configuration current;
  kj::TimePoint now = kj::origin<kj::TimePoint>() + 1000 * kj::SECONDS;
  LinkReports reports{SUSPECT_AFTER};

  bool report(std::uint64_t reporter, std::uint64_t peer, State state = State::pathDead,
              std::uint64_t epoch = 5) {
    LinkReport words;
    words.epoch = epoch;
    words.reporter = reporter;
    words.peer = peer;
    words.toSuccessor = reporter < peer;
    words.state = state;
    words.lasting = 1 * kj::SECONDS;
    return reports.report(words, current, now);
  }
  bool confirmed() {
    auto links = reports.links();
    return links.size() == 1 && reports.isConfirmed(links.front(), now);
  }
};

TEST_F(LinkReportsTest, TwoEndsThatReportOnePairAreOneLink) {
  EXPECT_TRUE(report(1, 2));
  EXPECT_TRUE(report(2, 1));
  EXPECT_FALSE(report(1, 2)) << "told again";
  EXPECT_THAT(reports.links(), SizeIs(1));
  EXPECT_EQ(reports.links().front().since, now - 1 * kj::SECONDS);
}

TEST_F(LinkReportsTest, IsConfirmedOnceBothWereHeardAndHaveAnsweredAProbeThatBeganSince) {
  reports.heard(1, now);
  report(1, 2);
  EXPECT_THAT(reports.toProbe(now), UnorderedElementsAre(1, 2));
  now += MOMENT;
  reports.answered(1, now);
  reports.answered(2, now);
  EXPECT_FALSE(confirmed()) << "neither was heard since";
  reports.heard(1, now);
  reports.heard(2, now);
  EXPECT_TRUE(confirmed());
}

TEST_F(LinkReportsTest, AProbeThatBeganBeforeTellsNothing) {
  auto before = now - MOMENT;
  report(1, 2);
  reports.heard(1, now);
  reports.heard(2, now);
  reports.answered(1, now);
  reports.answered(2, before);
  EXPECT_FALSE(confirmed());
  EXPECT_THAT(reports.toProbe(now), UnorderedElementsAre(2));
}

TEST_F(LinkReportsTest, WhatWasConfirmedLongAgoIsNot) {
  report(1, 2);
  for (std::uint64_t end: {1, 2}) {
    reports.heard(end, now);
    reports.answered(end, now);
  }
  EXPECT_TRUE(confirmed());
  now += SUSPECT_AFTER / 2 + MOMENT;
  report(1, 2);
  EXPECT_FALSE(confirmed()) << "either may be gone by now";
  EXPECT_THAT(reports.toProbe(now), UnorderedElementsAre(1, 2));
}

TEST_F(LinkReportsTest, IsOverWhenItsReporterSaysSoOrTellsItNoMore) {
  report(1, 2);
  report(2, 1);
  EXPECT_TRUE(report(1, 2, State::works));
  EXPECT_TRUE(reports.isReported(1, 2)) << "by the other end";
  report(2, 1, State::works);
  EXPECT_FALSE(reports.isReported(1, 2));
  report(1, 2);
  now += 2 * SUSPECT_AFTER + MOMENT;
  reports.prune(current, {}, now);
  EXPECT_THAT(reports.links(), IsEmpty());
}

TEST_F(LinkReportsTest, EndsWithItsEpochAndWithAnEndThatIsLost) {
  report(1, 2);
  report(3, 4);
  reports.prune(current, {2}, now);
  EXPECT_FALSE(reports.isReported(1, 2));
  EXPECT_TRUE(reports.isReported(3, 4));
  ++current.epoch;
  reports.prune(current, {}, now);
  EXPECT_THAT(reports.links(), IsEmpty());
}

TEST_F(LinkReportsTest, IgnoresWhatIsNotAboutNeighboursInTheEpoch) {
  EXPECT_FALSE(report(1, 3));
  EXPECT_FALSE(report(1, 77));
  EXPECT_FALSE(report(77, 1));
  EXPECT_FALSE(report(1, 1));
  EXPECT_FALSE(report(1, 2, State::pathDead, 4));
  EXPECT_THAT(reports.links(), IsEmpty());
}

}  // namespace
}  // namespace gavel::master
