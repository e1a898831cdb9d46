#include "master/suspicion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

namespace gavel::master {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::uint64_t N1 = 101;
constexpr std::uint64_t N2 = 102;

// Time passes in steps, with a check at each, as in the real process.
class SuspicionTest: public ::testing::Test {
protected:
  ~SuspicionTest() noexcept override = default;

  kj::TimePoint now = kj::origin<kj::TimePoint>() + 100 * kj::SECONDS;
  std::int64_t boot = 1'000'000'000'000;
  Suspicion suspicion{1 * kj::SECONDS};

  void turn() { suspicion.awake(now, boot); }

  void pass(kj::Duration duration) {
    now += duration;
    boot += duration / kj::NANOSECONDS;
    turn();
    suspicion.check(now);
  }

  // In steps, with heartbeats of `alive` in between.
  void passInSteps(kj::Duration duration, std::vector<std::uint64_t> alive = {}) {
    for (auto left = duration; left > 0 * kj::SECONDS; left -= suspicion.checkEvery()) {
      for (auto incarnation: alive) suspicion.heard(incarnation, now);
      pass(suspicion.checkEvery());
    }
  }

  std::string cause(std::uint64_t incarnation) {
    KJ_IF_MAYBE (loss, suspicion.lost(incarnation)) {
      return loss->cause;
    }
    return "";
  }

  // The one probe that is due.
  Suspicion::Probe takeProbe() {
    auto probes = suspicion.takeProbes(now);
    KJ_REQUIRE(probes.size() == 1, probes.size());
    return probes.front();
  }
};

TEST_F(SuspicionTest, LosesAConnectedNodeAfterSilence) {
  suspicion.registered(N1, now);
  suspicion.registered(N2, now);
  passInSteps(950 * kj::MILLISECONDS, {N2});
  EXPECT_EQ(cause(N1), "");
  EXPECT_TRUE(suspicion.isHeard(N1, now));
  passInSteps(50 * kj::MILLISECONDS, {N2});
  EXPECT_EQ(cause(N1), "silent for 1s");
  EXPECT_FALSE(suspicion.isHeard(N1, now));
  EXPECT_EQ(cause(N2), "");
  EXPECT_THAT(suspicion.takeProbes(now), SizeIs(0));
}

TEST_F(SuspicionTest, TakesALostNodeBackWhenItIsHeard) {
  suspicion.registered(N1, now);
  passInSteps(2 * kj::SECONDS);
  EXPECT_NE(cause(N1), "");
  suspicion.heard(N1, now);
  EXPECT_EQ(cause(N1), "");
}

TEST_F(SuspicionTest, LosesADroppedNodeThatRefuses) {
  suspicion.registered(N1, now);
  suspicion.dropped(N1, now);
  EXPECT_EQ(cause(N1), "");
  auto since = now;
  auto probe = takeProbe();
  EXPECT_TRUE(suspicion.inDoubt(N1));
  pass(1 * kj::MILLISECONDS);
  suspicion.probed(probe, ProbeResult::refused, now);
  EXPECT_EQ(cause(N1), "connection closed, then refused");
  EXPECT_TRUE(KJ_ASSERT_NONNULL(suspicion.lost(N1)).since == since);
  EXPECT_FALSE(suspicion.inDoubt(N1));
}

TEST_F(SuspicionTest, LosesADroppedNodeWhoseAddressAnswersOtherwise) {
  for (auto result: {ProbeResult::unreachable, ProbeResult::other, ProbeResult::silent}) {
    suspicion.registered(N1, now);
    suspicion.dropped(N1, now);
    suspicion.probed(takeProbe(), result, now);
    EXPECT_THAT(cause(N1), HasSubstr("connection closed, then "));
  }
}

TEST_F(SuspicionTest, GivesADroppedNodeThatAnswersTimeToRegister) {
  suspicion.registered(N1, now);
  suspicion.dropped(N1, now);
  for (auto left = 19; left > 0; --left) {
    suspicion.probed(takeProbe(), ProbeResult::alive, now);
    pass(50 * kj::MILLISECONDS);  // Each check asks again, since the process may be ending.
    EXPECT_EQ(cause(N1), "");
  }
  EXPECT_TRUE(suspicion.isHeard(N1, now));
  auto probe = takeProbe();
  suspicion.registered(N1, now);
  suspicion.probed(probe, ProbeResult::silent, now);  // The answer is about the past.
  EXPECT_EQ(cause(N1), "");
}

TEST_F(SuspicionTest, LosesADroppedNodeThatDoesNotRegister) {
  suspicion.registered(N1, now);
  suspicion.dropped(N1, now);
  for (auto left = 20; left > 0; --left) {
    suspicion.probed(takeProbe(), ProbeResult::alive, now);
    pass(50 * kj::MILLISECONDS);
  }
  EXPECT_EQ(cause(N1), "connection closed, then not registered again");
}

TEST_F(SuspicionTest, BelievesAReportOnlyIfItCannotReachTheNodeEither) {
  suspicion.registered(N1, now);
  suspicion.doubt(N1, "reported by n2", now);
  suspicion.probed(takeProbe(), ProbeResult::alive, now);
  EXPECT_EQ(cause(N1), "");
  pass(50 * kj::MILLISECONDS);
  suspicion.doubt(N1, "reported by n2", now);
  suspicion.probed(takeProbe(), ProbeResult::silent, now);
  EXPECT_EQ(cause(N1), "reported by n2, then no answer");
}

TEST_F(SuspicionTest, CountsAHeartbeatDuringTheProbeAsAnAnswer) {
  suspicion.registered(N1, now);
  suspicion.doubt(N1, "reported by n2", now);
  auto probe = takeProbe();
  pass(50 * kj::MILLISECONDS);
  suspicion.heard(N1, now);
  suspicion.probed(probe, ProbeResult::silent, now);
  EXPECT_EQ(cause(N1), "");
}

TEST_F(SuspicionTest, ProbesAtABoundedRateHoweverManyReportsCome) {
  suspicion.registered(N1, now);
  unsigned probes = 0;
  for (unsigned i = 0; i < 1000; ++i) {
    suspicion.doubt(N1, "reported by n2", now);
    for (auto& probe: suspicion.takeProbes(now)) {
      ++probes;
      suspicion.probed(probe, ProbeResult::alive, now);
    }
    suspicion.heard(N1, now);
    pass(1 * kj::MILLISECONDS);
  }
  EXPECT_EQ(probes, 20u);
}

TEST_F(SuspicionTest, HasNoReportOfAnUnknownNode) {
  suspicion.doubt(N1, "reported by n2", now);
  suspicion.heard(N1, now);
  suspicion.dropped(N1, now);
  suspicion.superseded(N1, now);
  EXPECT_THAT(suspicion.takeProbes(now), SizeIs(0));
  EXPECT_EQ(cause(N1), "");
}

TEST_F(SuspicionTest, LosesAMemberWhoseStoreAnotherProcessHasOpened) {
  suspicion.registered(N1, now);
  suspicion.superseded(N1, now);
  EXPECT_EQ(cause(N1), "restarted");
  suspicion.heard(N1, now);  // It was sent before the process ended.
  EXPECT_EQ(cause(N1), "restarted");
}

TEST_F(SuspicionTest, MakesSureThatASupersededProcessHasEnded) {
  suspicion.registered(N1, now);
  suspicion.superseded(N1, now);
  EXPECT_FALSE(suspicion.ended(N1));
  suspicion.probed(takeProbe(), ProbeResult::inconclusive, now);
  EXPECT_FALSE(suspicion.ended(N1));
  pass(suspicion.checkEvery());
  suspicion.probed(takeProbe(), ProbeResult::alive, now);  // Two live: one has a copy.
  EXPECT_FALSE(suspicion.ended(N1));
  EXPECT_TRUE(suspicion.answersStill(N1));
  EXPECT_EQ(cause(N1), "restarted");
  pass(suspicion.checkEvery());
  suspicion.probed(takeProbe(), ProbeResult::other, now);
  EXPECT_TRUE(suspicion.ended(N1));
  EXPECT_FALSE(suspicion.answersStill(N1));
  pass(1 * kj::SECONDS);
  EXPECT_THAT(suspicion.takeProbes(now), SizeIs(0));
}

TEST_F(SuspicionTest, DoesNotBelieveAProbeFromBeforeTheSuccession) {
  suspicion.registered(N1, now);
  suspicion.doubt(N1, "reported by n2", now);
  auto before = takeProbe();
  suspicion.superseded(N1, now);
  suspicion.probed(before, ProbeResult::refused, now);
  EXPECT_FALSE(suspicion.ended(N1));
  suspicion.probed(takeProbe(), ProbeResult::refused, now);
  EXPECT_TRUE(suspicion.ended(N1));
}

TEST_F(SuspicionTest, GivesEverybodyAFreshGraceAfterAPause) {
  turn();
  suspicion.registered(N1, now);
  suspicion.registered(N2, now);
  pass(10 * kj::SECONDS);
  EXPECT_EQ(cause(N1), "");
  EXPECT_FALSE(suspicion.isHeard(N1, now));  // That does not mean that it was heard.
  passInSteps(1 * kj::SECONDS, {N2});
  EXPECT_EQ(cause(N1), "silent for 1s");
  EXPECT_EQ(cause(N2), "");
}

TEST_F(SuspicionTest, AsksAgainIfItWasPausedDuringAProbe) {
  turn();
  suspicion.registered(N1, now);
  suspicion.dropped(N1, now);
  auto probe = takeProbe();
  now += 300 * kj::MILLISECONDS;
  boot += 300'000'000;
  turn();
  suspicion.probed(probe, ProbeResult::silent, now);
  EXPECT_EQ(cause(N1), "");
  pass(50 * kj::MILLISECONDS);
  suspicion.probed(takeProbe(), ProbeResult::silent, now);
  EXPECT_EQ(cause(N1), "connection closed, then no answer");
}

TEST_F(SuspicionTest, LearnsNothingFromAnInconclusiveProbe) {
  suspicion.registered(N1, now);
  suspicion.dropped(N1, now);
  suspicion.probed(takeProbe(), ProbeResult::inconclusive, now);
  EXPECT_EQ(cause(N1), "");
  passInSteps(1 * kj::SECONDS);
  EXPECT_EQ(cause(N1), "connection closed, then not registered again");
}

TEST_F(SuspicionTest, KeepsAnExpectedMemberAsLongAsItAnswers) {
  suspicion.expect(N1, now);
  for (unsigned i = 0; i < 10; ++i) {
    passInSteps(900 * kj::MILLISECONDS);
    EXPECT_THAT(suspicion.takeProbes(now), SizeIs(0));
    passInSteps(100 * kj::MILLISECONDS);
    suspicion.probed(takeProbe(), ProbeResult::alive, now);
    EXPECT_EQ(cause(N1), "");
  }
  passInSteps(1 * kj::SECONDS);
  suspicion.probed(takeProbe(), ProbeResult::refused, now);
  EXPECT_EQ(cause(N1), "not registered with this master, then refused");
}

// An answer that has waited in a socket while this process did not run says nothing of now.
TEST_F(SuspicionTest, DoesNotTakeALostNodeBackForAnAnswerFromBeforeAPause) {
  suspicion.expect(N1, now);
  passInSteps(1 * kj::SECONDS);
  suspicion.probed(takeProbe(), ProbeResult::silent, now);
  passInSteps(1 * kj::SECONDS);
  suspicion.askAgain(N1, now);
  auto probe = takeProbe();
  EXPECT_TRUE(suspicion.inDoubt(N1)) << "what it answers decides";
  pass(60 * kj::SECONDS);
  suspicion.probed(probe, ProbeResult::alive, now);
  EXPECT_EQ(cause(N1), "not registered with this master, then no answer");
}

// It may have registered with another master since.
TEST_F(SuspicionTest, AsksALostMemberAgainThatHasToStay) {
  suspicion.expect(N1, now);
  passInSteps(1 * kj::SECONDS);
  suspicion.probed(takeProbe(), ProbeResult::silent, now);
  EXPECT_EQ(cause(N1), "not registered with this master, then no answer");
  passInSteps(1 * kj::SECONDS);
  EXPECT_THAT(suspicion.takeProbes(now), SizeIs(0)) << "unless it has to stay";

  suspicion.askAgain(N1, now);
  suspicion.probed(takeProbe(), ProbeResult::refused, now);
  EXPECT_EQ(cause(N1), "not registered with this master, then no answer") << "as before";
  passInSteps(1 * kj::SECONDS);
  suspicion.askAgain(N1, now);
  suspicion.probed(takeProbe(), ProbeResult::alive, now);
  EXPECT_EQ(cause(N1), "");
  EXPECT_TRUE(suspicion.isHeard(N1, now));

  // It is expected again, for as long as it answers.
  passInSteps(1 * kj::SECONDS);
  suspicion.probed(takeProbe(), ProbeResult::alive, now);
  passInSteps(1 * kj::SECONDS);
  suspicion.probed(takeProbe(), ProbeResult::refused, now);
  EXPECT_EQ(cause(N1), "not registered with this master, then refused");
}

TEST_F(SuspicionTest, AsksALostMemberAgainAtABoundedRate) {
  suspicion.registered(N1, now);
  suspicion.dropped(N1, now);
  suspicion.probed(takeProbe(), ProbeResult::refused, now);
  unsigned probes = 0;
  for (unsigned i = 0; i < 100; ++i) {
    pass(50 * kj::MILLISECONDS);
    suspicion.askAgain(N1, now);
    for (auto& probe: suspicion.takeProbes(now)) {
      ++probes;
      suspicion.probed(probe, ProbeResult::refused, now);
    }
  }
  EXPECT_EQ(probes, 5u);
}

TEST_F(SuspicionTest, AsksNobodyAgainWhoIsNotLostOrWasSuperseded) {
  suspicion.registered(N1, now);
  suspicion.askAgain(N1, now);
  suspicion.askAgain(N2, now);
  EXPECT_THAT(suspicion.takeProbes(now), SizeIs(0));
  suspicion.superseded(N1, now);
  suspicion.probed(takeProbe(), ProbeResult::refused, now);
  suspicion.askAgain(N1, now);
  EXPECT_THAT(suspicion.takeProbes(now), SizeIs(0));
  EXPECT_EQ(cause(N1), "restarted");
}

// The connection of one that was cut off may stand, or it may be at another master by now.
TEST_F(SuspicionTest, TakesHeartbeatsOfOneThatHasAnsweredAgain) {
  suspicion.registered(N1, now);
  passInSteps(1 * kj::SECONDS);
  suspicion.askAgain(N1, now);
  suspicion.probed(takeProbe(), ProbeResult::alive, now);
  EXPECT_TRUE(suspicion.isExpected(N1));
  suspicion.heard(N1, now);
  EXPECT_FALSE(suspicion.isExpected(N1));
  passInSteps(1 * kj::SECONDS);
  EXPECT_EQ(cause(N1), "silent for 1s");
}

// An answer from before the loss is about its past.
TEST_F(SuspicionTest, DoesNotTakeALostNodeBackForAProbeFromBefore) {
  suspicion.registered(N1, now);
  suspicion.dropped(N1, now);
  auto before = takeProbe();
  passInSteps(1 * kj::SECONDS);
  EXPECT_EQ(cause(N1), "connection closed, then not registered again");
  suspicion.probed(before, ProbeResult::alive, now);
  EXPECT_EQ(cause(N1), "connection closed, then not registered again");
}

TEST_F(SuspicionTest, LosesAJoinerThatItsTailCannotReachForLongThoughItIsHeard) {
  turn();
  suspicion.registered(N1, now);
  auto reportFor = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      suspicion.reportedByTail(N1, "reported by n2", now);
      passInSteps(1 * kj::SECONDS, {N1});
    }
  };
  reportFor(4);
  EXPECT_EQ(cause(N1), "");
  passInSteps(4 * kj::SECONDS, {N1});
  reportFor(5);
  EXPECT_EQ(cause(N1), "") << "there was a pause: it was reached meanwhile";
  suspicion.reportedByTail(N1, "reported by n2", now);
  EXPECT_EQ(cause(N1), "reported by n2, for 5s");
}

TEST_F(SuspicionTest, ForgetsAllButTheKnown) {
  suspicion.registered(N1, now);
  suspicion.registered(N2, now);
  suspicion.retain({N2});
  EXPECT_FALSE(suspicion.isHeard(N1, now));
  EXPECT_TRUE(suspicion.isHeard(N2, now));
}

}  // namespace
}  // namespace gavel::master
