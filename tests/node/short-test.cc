#include <gmock/gmock.h>

#include "tests/node/chain-fixture.h"

// A chain in which fewer members serve than --min-members (R18).
namespace gavel::node {
namespace {

using ::testing::HasSubstr;
using Reason = schema::Outcome::Exception::Reason;

class Short: public ChainFixture {
protected:
  ~Short() noexcept override = default;

  void startWith(std::size_t members, std::uint32_t least, Sync sync = Sync::atOnce) {
    configuration.minMembers = least;
    startChain(members, sync);
  }
  void expectUnavailable(schema::Outcome::Reader outcome) {
    ASSERT_TRUE(outcome.isException());
    EXPECT_EQ(outcome.getException().getReason(), Reason::UNAVAILABLE);
    EXPECT_THAT(outcome.getException().getDetail().cStr(), HasSubstr("--min-members"));
  }
};

TEST_F(Short, LogsNothingNewAndAnswersReads) {
  startWith(2, 2);
  auto client = connect(0);
  auto session = openSession(client);
  createAuction(client, session, 1, "lamp");
  within(bid(client, session, 2, 100), "a bid");
  relink({0});
  auto last = replica(0).logEnd();
  expectUnavailable(within(bid(client, session, 3, 200), "an answer").getOutcome());
  expectUnavailable(within(client.openSessionRequest().send(), "an answer").getOutcome());
  // It does not close due auctions, or end sessions, either.
  clock.advance(7200'000'000'000);
  settle();
  EXPECT_EQ(replica(0).logEnd(), last);
  EXPECT_TRUE(result(client).getAnswer().getAuction().getState().isOpen());
}

TEST_F(Short, TellsNoSuccessOfWhatOnlyTooFewHaveCommitted) {
  startWith(2, 2, Sync::manual);
  auto client = connect(0);
  auto opening = client.openSessionRequest().send();
  until("the entry", [&]() { return replica(1).logEnd().index == 1; });
  for (auto& each: nodes) each->store.syncNow();
  auto session = within(kj::mv(opening), "a session").getOutcome().getSuccess().getIndex();
  auto request = client.createRequest();
  request.initRequest().setSession(session);
  request.getRequest().setSequence(1);
  request.setAuction("lamp");
  identify(request.initOwner(), "owner");
  request.initTerms().setDuration(3600'000'000'000);
  auto creating = request.send();
  until("the second entry", [&]() { return replica(0).logEnd().index == 2; });
  relink({0});
  nodes[0]->store.syncNow();
  until("that to be committed", [&]() { return replica(0).commit() == 2; });
  auto outcome = within(kj::mv(creating), "an answer");
  ASSERT_TRUE(outcome.getOutcome().isException());
  EXPECT_EQ(outcome.getOutcome().getException().getReason(), Reason::OUTCOME_UNKNOWN);
  EXPECT_THAT(outcome.getOutcome().getException().getDetail().cStr(),
              HasSubstr("may be in effect"));
  // It can be read, as R6 needs.
  EXPECT_TRUE(result(client).getAnswer().getAuction().getState().isOpen());

  // A retry gets the outcome once enough members have committed it as well.
  relink({0, 1});
  auto again = client.createRequest();
  again.initRequest().setSession(session);
  again.getRequest().setSequence(1);
  again.setAuction("lamp");
  identify(again.initOwner(), "owner");
  again.initTerms().setDuration(3600'000'000'000);
  auto retried = within(again.send(), "the outcome");
  EXPECT_TRUE(retried.getOutcome().isSuccess());
  EXPECT_EQ(retried.getOutcome().getSuccess().getIndex(), 2u);
}

TEST_F(Short, IsNoChainOfOneThatMayBe) {
  startWith(1, 1);
  auto client = connect(0);
  openSession(client);
}

}  // namespace
}  // namespace gavel::node
