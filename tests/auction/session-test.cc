#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/auction/log.h"

// Sessions and request records: each request takes effect once (R7).
namespace gavel::auction::test {
namespace {

TEST(Session, IsNamedByTheEntryThatOpensIt) {
  Log log;
  log.now = 1500;
  const Outcome outcome = log.apply(log.proposal(OpenSession{}));
  EXPECT_EQ(outcome.kind, Kind::success);
  EXPECT_EQ(outcome.index, 2u);
  const Session* session = log.state.findSession(2);
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->id, 2u);
  EXPECT_EQ(session->lastUsed, 1500);
  EXPECT_EQ(session->lowestIncomplete, 1u);
  EXPECT_EQ(log.state.sessionCount(), 2u);
}

TEST(Session, IsNotOpenedFromWithinASession) {
  Log log;
  const Entry entry = log.request(OpenSession{}, {log.session, 1, 0});
  const Judgement judgement = log.state.judge(entry);
  EXPECT_EQ(judgement.outcome.kind, Kind::invalidArgument);
  EXPECT_EQ(judgement.outcome.argument, Argument::sequence);
  EXPECT_FALSE(judgement.log);
  log.apply(entry);
  EXPECT_EQ(log.state.sessionCount(), 1u);
}

TEST(Session, UnknownIsExpiredAndItsRequestNeverRuns) {
  Log log(plainTerms());
  for (const std::uint64_t unknown: {std::uint64_t{0}, log.session + 1, ~std::uint64_t{0}}) {
    const Entry entry = log.request(bid("lamp", "ann", 100), {unknown, 1, 0});
    const Judgement judgement = log.state.judge(entry);
    EXPECT_EQ(judgement.outcome.kind, Kind::sessionExpired);
    EXPECT_FALSE(judgement.log);
    EXPECT_EQ(judgement.basis, log.state.lastIndex());
    log.apply(entry);
    EXPECT_EQ(log.auction().highest, 0);
    EXPECT_EQ(log.state.findBidder("ann"), nullptr);
  }
}

TEST(Retry, GetsTheFirstOutcomeAndDoesNotBidTwice) {
  Log log(plainTerms());
  const RequestId id{log.session, 5, 0};
  const Outcome first = log.apply(log.request(bid("lamp", "ann", 100), id));
  log.sequence = 5;
  log.applyAt(1100, bid("lamp", "bob", 200));

  const Entry retry = log.request(bid("lamp", "ann", 100), id);
  const Judgement judgement = log.state.judge(retry);
  EXPECT_EQ(judgement.outcome, first);
  EXPECT_FALSE(judgement.log);
  EXPECT_EQ(judgement.basis, first.index);

  EXPECT_EQ(log.apply(retry), first);
  EXPECT_EQ(log.auction().version(), 3u);
  EXPECT_EQ(log.leader(), "bob");
}

TEST(Retry, OfARejectGetsTheRejectAlsoIfItWouldSucceedNow) {
  Log log;
  const RequestId id{log.session, 1, 0};
  const Outcome first = log.apply(log.request(bid("lamp", "ann", 100), id));
  EXPECT_EQ(first.kind, Kind::noSuchAuction);
  log.sequence = 1;
  log.apply(create("lamp"));
  EXPECT_EQ(log.apply(log.request(bid("lamp", "ann", 100), id)), first);
  EXPECT_EQ(log.auction().highest, 0);
}

TEST(Retry, InTheLogChangesNothingButThePosition) {
  Log log(plainTerms());
  const RequestId id{log.session, 2, 0};
  log.apply(log.request(bid("lamp", "ann", 100), id));
  const Session before = *log.state.findSession(log.session);
  log.now = 1700;
  log.apply(log.request(bid("lamp", "ann", 100), {log.session, 2, 2}));
  const Session& after = *log.state.findSession(log.session);
  EXPECT_EQ(after.lastUsed, before.lastUsed);
  EXPECT_EQ(after.lastUsedIndex, before.lastUsedIndex);
  EXPECT_EQ(after.lowestIncomplete, before.lowestIncomplete);
  EXPECT_EQ(after.records.size(), before.records.size());
  EXPECT_EQ(log.state.lastStamp(), 1700);
}

TEST(Request, WithAUsedIdAndAnotherPayloadIsRefused) {
  Log log(plainTerms());
  const RequestId id{log.session, 2, 0};
  const Outcome first = log.apply(log.request(bid("lamp", "ann", 100), id));
  const std::vector<Command> others{bid("lamp", "ann", 101), bid("vase", "ann", 100),
                                    bid("lamp", "bob", 100), Bid{"lamp", impostor("ann"), 100},
                                    CloseAuction{"lamp", identity("owner")}};
  for (const Command& other: others) {
    const Judgement judgement = log.state.judge(log.request(other, id));
    EXPECT_EQ(judgement.outcome.kind, Kind::requestMismatch);
    EXPECT_FALSE(judgement.log);
    EXPECT_GE(judgement.basis, first.index);
    EXPECT_EQ(log.apply(log.request(other, id)).kind, Kind::requestMismatch);
  }
  EXPECT_EQ(log.auction().version(), 2u);
  EXPECT_EQ(log.state.findBidder("bob"), nullptr);
  EXPECT_EQ(log.apply(log.request(bid("lamp", "ann", 100), id)), first) << "record untouched";
}

TEST(Request, BelowTheLowestIncompleteIsForgotten) {
  Log log(plainTerms());  // It has used sequence 1.
  log.apply(log.request(bid("lamp", "ann", 100), {log.session, 2, 0}));
  log.apply(log.request(bid("lamp", "ann", 200), {log.session, 3, 3}));
  const Session& session = *log.state.findSession(log.session);
  EXPECT_EQ(session.lowestIncomplete, 3u);
  EXPECT_EQ(session.records.size(), 1u);
  EXPECT_EQ(session.records.begin()->first, 3u);

  const Entry old = log.request(bid("lamp", "ann", 100), {log.session, 2, 0});
  const Judgement judgement = log.state.judge(old);
  EXPECT_EQ(judgement.outcome.kind, Kind::requestForgotten);
  EXPECT_FALSE(judgement.log);
  EXPECT_EQ(judgement.basis, log.state.lastIndex());
  log.apply(old);
  EXPECT_EQ(log.auction().version(), 3u);
  EXPECT_EQ(log.state.judge(log.request(bid("lamp", "ann", 200), {log.session, 3, 0})).outcome.kind,
            Kind::success)
      << "exactly at the lowest incomplete one: a retry";
}

TEST(Request, WithALowerLowestIncompleteBringsNothingBack) {
  Log log(plainTerms());
  log.apply(log.request(bid("lamp", "ann", 100), {log.session, 5, 5}));
  log.apply(log.request(bid("lamp", "ann", 200), {log.session, 6, 2}));
  EXPECT_EQ(log.state.findSession(log.session)->lowestIncomplete, 5u);
  EXPECT_EQ(log.state.judge(log.request(bid("lamp", "ann", 300), {log.session, 4, 0})).outcome.kind,
            Kind::requestForgotten);
}

TEST(Request, SequencesMayArriveInAnyOrder) {
  Log log(plainTerms());
  log.apply(log.request(bid("lamp", "ann", 100), {log.session, 9, 2}));
  log.apply(log.request(bid("lamp", "ann", 200), {log.session, 4, 2}));
  log.apply(log.request(bid("lamp", "ann", 300), {log.session, 7, 5}));
  EXPECT_EQ(log.auction().highest, 300);
  const Session& session = *log.state.findSession(log.session);
  ASSERT_EQ(session.records.size(), 2u);
  EXPECT_EQ(session.records.find(7)->second.outcome.version, 4u);
  EXPECT_EQ(session.records.find(9)->second.outcome.version, 2u);
}

TEST(Request, SequenceStartsAtOneAndIsNotBelowItsOwnLowestIncomplete) {
  Log log(plainTerms());
  for (const RequestId id: {RequestId{log.session, 0, 0}, RequestId{log.session, 6, 7}}) {
    const Entry entry = log.request(bid("lamp", "ann", 100), id);
    const Judgement judgement = log.state.judge(entry);
    EXPECT_EQ(judgement.outcome.kind, Kind::invalidArgument);
    EXPECT_EQ(judgement.outcome.argument, Argument::sequence);
    EXPECT_FALSE(judgement.log);
    log.apply(entry);
    EXPECT_EQ(log.state.findSession(log.session)->lowestIncomplete, 1u);
  }
  EXPECT_EQ(log.apply(log.request(bid("lamp", "ann", 100), {log.session, 7, 7})).kind,
            Kind::success);
}

TEST(Request, LoggedRecordsItsOutcomeWhateverItIs) {
  Log log(plainTerms());
  log.apply(bid("lamp", "ann", 100));
  const Session& session = *log.state.findSession(log.session);
  const std::vector<Command> commands{bid("lamp", "ann", 5),
                                      bid("lamp", "ann", 0),
                                      bid("", "ann", 200),
                                      bid("vase", "ann", 200),
                                      create("lamp"),
                                      CloseAuction{"lamp", impostor("owner")},
                                      bid("lamp", "ann", 200),
                                      CancelAuction{"lamp", identity("owner")},
                                      Bid{"lamp", impostor("ann"), 300}};
  for (const Command& command: commands) {
    log.now += 1;
    const Outcome outcome = log.apply(command);
    EXPECT_EQ(outcome.index, log.state.lastIndex());
    EXPECT_EQ(outcome.stamp, log.now);
    const auto found = session.records.find(log.sequence);
    ASSERT_NE(found, session.records.end());
    const RequestRecord& record = found->second;
    EXPECT_EQ(record.outcome, outcome);
    EXPECT_EQ(record.fingerprint, fingerprint(command));
    EXPECT_EQ(session.lastUsed, log.now);
    EXPECT_EQ(session.lastUsedIndex, log.state.lastIndex());
  }
}

TEST(Request, WithAFlawDoesNotOverwriteTheRecordOfItsId) {
  Log log(plainTerms());
  const RequestId id{log.session, 2, 0};
  const Outcome first = log.apply(log.request(bid("lamp", "ann", 100), id));
  EXPECT_EQ(log.apply(log.request(bid("lamp", "ann", 0), id)).kind, Kind::invalidAmount);
  EXPECT_EQ(log.apply(log.request(bid("lamp", "ann", 100), id)), first);
}

TEST(Request, IsOneTooManyAtTheBoundOfRecords) {
  Log log;  // Uses all sequences up to the bound.  The bids fail, which does not matter.
  for (std::size_t i = 1; i <= MAX_RECORDS_PER_SESSION; ++i) {
    ASSERT_EQ(log.apply(bid("lamp", "ann", 1)).kind, Kind::noSuchAuction) << i;
  }
  const std::uint64_t next = MAX_RECORDS_PER_SESSION + 1;
  for (const std::uint64_t lowest: {0, 1}) {
    const Entry entry = log.request(bid("lamp", "ann", 1), {log.session, next, lowest});
    const Judgement judgement = log.state.judge(entry);
    EXPECT_EQ(judgement.outcome.kind, Kind::tooManyIncomplete);
    EXPECT_FALSE(judgement.log);
    EXPECT_EQ(judgement.basis, log.state.lastIndex());
    log.apply(entry);
    EXPECT_EQ(log.state.findSession(log.session)->records.size(), MAX_RECORDS_PER_SESSION);
  }
  EXPECT_EQ(log.apply(log.request(bid("lamp", "ann", 1), {log.session, 7, 0})).index, 8u)
      << "retries still get their outcome";
  EXPECT_EQ(log.apply(log.request(bid("lamp", "ann", 1), {log.session, next, 2})).kind,
            Kind::noSuchAuction)
      << "one freed, one used";
  EXPECT_EQ(log.state.findSession(log.session)->records.size(), MAX_RECORDS_PER_SESSION);
}

TEST(ExpireSessions, EndsThoseLastUsedBefore) {
  Log log(plainTerms());
  const std::uint64_t used = log.session;
  log.now = 1100;
  const std::uint64_t idle = log.openSession();
  log.now = 1200;
  const std::uint64_t fresh = log.openSession();
  log.applyAt(1300, bid("lamp", "ann", 100));  // In the first session.
  EXPECT_EQ(log.state.idlestSession(), 1100);

  log.apply(log.proposal(ExpireSessions{1100}));
  EXPECT_EQ(log.state.sessionCount(), 3u);
  EXPECT_EQ(log.apply(log.proposal(ExpireSessions{1101})).kind, Kind::success);
  EXPECT_EQ(log.state.findSession(idle), nullptr);
  EXPECT_NE(log.state.findSession(fresh), nullptr);
  EXPECT_NE(log.state.findSession(used), nullptr);
  EXPECT_EQ(log.state.idlestSession(), 1200);

  log.session = idle;
  EXPECT_EQ(log.apply(bid("lamp", "bob", 500)).kind, Kind::sessionExpired);
  EXPECT_EQ(log.leader(), "ann");

  log.apply(log.proposal(ExpireSessions{1301}));
  EXPECT_EQ(log.state.sessionCount(), 0u);
  EXPECT_EQ(log.state.idlestSession(), std::nullopt);
}

TEST(ExpireSessions, WithALimitEndsTheIdlest) {
  Log log(plainTerms());
  log.now = 1100;
  const std::uint64_t second = log.openSession();
  log.apply(bid("lamp", "ann", 100));  // The first session is used after that.
  log.apply(log.proposal(ExpireSessions{2000, 1}));
  EXPECT_EQ(log.state.findSession(second), nullptr);
  EXPECT_NE(log.state.findSession(log.session), nullptr);
  EXPECT_EQ(log.apply(log.proposal(ExpireSessions{2000, MOST_ENDED + 1})).kind,
            Kind::invalidArgument);
  EXPECT_EQ(log.state.sessionCount(), 1u);
  log.apply(log.proposal(ExpireSessions{2000, MOST_ENDED}));
  EXPECT_EQ(log.state.sessionCount(), 0u);
}

TEST(OpenSession, BeyondTheBoundEvictsTheIdlest) {
  Log log(plainTerms());
  const std::uint64_t first = log.session;
  const std::uint64_t second = log.openSession();
  const std::uint64_t third = log.openSession();
  while (log.state.sessionCount() < MAX_SESSIONS) log.openSession();
  log.apply(bid("lamp", "ann", 100));  // The first session is not the idlest any more.

  log.openSession();
  EXPECT_EQ(log.state.sessionCount(), MAX_SESSIONS);
  EXPECT_NE(log.state.findSession(first), nullptr);
  EXPECT_EQ(log.state.findSession(second), nullptr);
  EXPECT_NE(log.state.findSession(third), nullptr);
  log.openSession();
  EXPECT_EQ(log.state.findSession(third), nullptr);
}

}  // namespace
}  // namespace gavel::auction::test
