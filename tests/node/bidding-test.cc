#include <gmock/gmock.h>

#include "tests/node/chain-fixture.h"

// The auction rules as a client sees them, through a chain.
namespace gavel::node {
namespace {

using Reason = schema::Outcome::Exception::Reason;

class Bidding: public ChainFixture {
protected:
  ~Bidding() noexcept override = default;

  Bidding() {
    startChain(2);
    client = connect(0);
    session = openSession(client);
    createAuction(client, session, 1, "lamp");
    sequence = 2;
  }

  BidResponse bidNow(std::int64_t amount, kj::StringPtr bidder = "ann",
                     kj::StringPtr credential = "0123456789abcdef",
                     kj::StringPtr auction = "lamp") {
    return within(bid(client, session, sequence++, amount, bidder, credential, auction), "a bid");
  }

  Reason reasonOf(const BidResponse& response) {
    EXPECT_TRUE(response.getOutcome().isException());
    return response.getOutcome().getException().getReason();
  }

  schema::NodeService::Client client = nullptr;
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;
};

TEST_F(Bidding, FirstOfTwoEqualBidsLeadsAndTheSecondIsToldTheNextValidAmount) {
  auto one = bid(client, session, 10, 100, "ann");
  auto two = bid(client, session, 11, 100, "bob");
  EXPECT_TRUE(within(kj::mv(one), "the first").getOutcome().isSuccess());
  auto second = within(kj::mv(two), "the second");
  ASSERT_TRUE(second.getOutcome().isFail());
  EXPECT_EQ(second.getOutcome().getFail().getHighest(), 100);
  EXPECT_EQ(second.getOutcome().getFail().getNextValid(), 101);
  EXPECT_STREQ(
      result(client).getAnswer().getAuction().getState().getOpen().getHighestBidder().cStr(),
      "ann");
}

TEST_F(Bidding, NameWithAnotherCredentialIsRefusedAndTheOwnerUnaffected) {
  EXPECT_TRUE(bidNow(100, "ann").getOutcome().isSuccess());
  EXPECT_EQ(reasonOf(bidNow(200, "ann", "another-credential")), Reason::NOT_YOURS);
  EXPECT_EQ(result(client).getAnswer().getAuction().getState().getOpen().getHighest(), 100);
  EXPECT_TRUE(bidNow(101, "ann").getOutcome().isSuccess());
}

TEST_F(Bidding, ImpossibleAmountsAreNamedAndNotLogged) {
  auto before = replica(0).logEnd().index;
  EXPECT_EQ(reasonOf(bidNow(0)), Reason::INVALID_AMOUNT);
  EXPECT_EQ(reasonOf(bidNow(-5)), Reason::INVALID_AMOUNT);
  EXPECT_EQ(reasonOf(bidNow(std::numeric_limits<std::int64_t>::min())), Reason::INVALID_AMOUNT);
  EXPECT_EQ(replica(0).logEnd().index, before);
}

TEST_F(Bidding, ImpossibleNamesAreNamedAndNotLogged) {
  auto before = replica(0).logEnd().index;
  auto detail = [&](kj::StringPtr bidder, kj::StringPtr auction = "lamp") {
    auto response = bidNow(100, bidder, "0123456789abcdef", auction);
    EXPECT_EQ(reasonOf(response), Reason::INVALID_ARGUMENT);
    return std::string(response.getOutcome().getException().getDetail().cStr());
  };
  EXPECT_THAT(detail(""), ::testing::HasSubstr("1 to 128 bytes"));
  EXPECT_THAT(detail(kj::str(kj::repeat('x', 10'000))), ::testing::HasSubstr("1 to 128 bytes"));
  EXPECT_THAT(detail("\xff\xfe"), ::testing::HasSubstr("UTF-8"));
  EXPECT_THAT(detail("ann", ""), ::testing::HasSubstr("auction"));
  EXPECT_EQ(replica(0).logEnd().index, before);
}

TEST_F(Bidding, CredentialOfAnImpossibleLengthIsRefused) {
  EXPECT_EQ(reasonOf(bidNow(100, "ann", "short")), Reason::INVALID_ARGUMENT);
  EXPECT_EQ(reasonOf(bidNow(100, "ann", kj::str(kj::repeat('c', 65)))), Reason::INVALID_ARGUMENT);
  EXPECT_TRUE(bidNow(100, "ann", kj::str(kj::repeat('c', 64))).getOutcome().isSuccess());
}

TEST_F(Bidding, UnknownAuctionIsTold) {
  EXPECT_EQ(reasonOf(bidNow(100, "ann", "0123456789abcdef", "vase")), Reason::NO_SUCH_AUCTION);
  auto answer = result(client, "vase");
  ASSERT_TRUE(answer.getAnswer().isFailure());
  EXPECT_EQ(answer.getAnswer().getFailure().getReason(),
            schema::QueryFailure::Reason::NO_SUCH_AUCTION);
}

TEST_F(Bidding, UnknownSessionIsNeverRun) {
  auto response = within(bid(client, 4711, 1, 100), "a bid");
  EXPECT_EQ(reasonOf(response), Reason::SESSION_EXPIRED);
  EXPECT_EQ(result(client).getAnswer().getAuction().getBids(), 0u);
}

TEST_F(Bidding, IdleSessionsEnd) {
  clock.advance(2 * 3600'000'000'000LL);
  auto other = openSession(client);  // Any call makes the head look at its clock.
  EXPECT_EQ(reasonOf(within(bid(client, session, 9, 100), "a bid")), Reason::SESSION_EXPIRED);
  EXPECT_NE(
      reasonOf(within(bid(client, other, 1, 100, "ann", "0123456789abcdef", "vase"), "a bid")),
      Reason::SESSION_EXPIRED);
}

TEST_F(Bidding, RequestIdUsedForSomethingElseIsRefused) {
  EXPECT_TRUE(within(bid(client, session, 5, 100), "a bid").getOutcome().isSuccess());
  EXPECT_EQ(reasonOf(within(bid(client, session, 5, 101), "another")), Reason::REQUEST_MISMATCH);
}

TEST_F(Bidding, ListOfBidsGivesTheOutcomesOfItsBidsInOrder) {
  auto request = client.bidsRequest();
  auto list = request.initRequests(4);
  const std::int64_t amounts[] = {100, 100, 150, 0};
  for (unsigned i = 0; i < 4; ++i) {
    list[i].initRequest().setSession(session);
    list[i].getRequest().setSequence(100 + i);
    auto body = list[i].initBid();
    body.setAuction("lamp");
    body.setAmount(amounts[i]);
    identify(body.initBidder(), "ann");
  }
  auto response = within(request.send(), "the bids");
  auto outcomes = response.getOutcomes();
  ASSERT_EQ(outcomes.size(), 4u);
  EXPECT_TRUE(outcomes[0].isSuccess());
  EXPECT_EQ(outcomes[1].getFail().getNextValid(), 101);
  EXPECT_TRUE(outcomes[2].isSuccess());
  EXPECT_EQ(outcomes[3].getException().getReason(), Reason::INVALID_AMOUNT);
}

TEST_F(Bidding, LongListOfBidsIsJudgedInSeveralTurnsAndLetsOthersIn) {
  constexpr unsigned COUNT = 7'000;
  auto request = client.bidsRequest();
  auto list = request.initRequests(COUNT);
  for (unsigned i = 0; i < COUNT; ++i) {
    list[i].initRequest().setSession(session);
    list[i].getRequest().setSequence(1000 + i);
    auto body = list[i].initBid();
    body.setAuction("lamp");
    body.setAmount(1000 + i);
    identify(body.initBidder(), "ann");
  }
  auto before = replica(0).logEnd().index;
  auto waiting = request.send();
  until("its first bids to be logged", [&]() { return replica(0).logEnd().index > before; });
  EXPECT_LT(replica(0).logEnd().index, before + COUNT) << "not all of it in one turn";
  auto response = within(kj::mv(waiting), "the bids");
  ASSERT_EQ(response.getOutcomes().size(), COUNT);
  std::uint64_t version = 0;
  for (auto outcome: response.getOutcomes()) {
    ASSERT_TRUE(outcome.isSuccess()) << kj::str(outcome).cStr();
    EXPECT_GT(outcome.getSuccess().getVersion(), version) << "in their order";
    version = outcome.getSuccess().getVersion();
  }
}

TEST_F(Bidding, EmptyListOfBidsIsAnswered) {
  auto request = client.bidsRequest();
  request.initRequests(0);
  EXPECT_EQ(within(request.send(), "nothing").getOutcomes().size(), 0u);
}

TEST_F(Bidding, ClosesOnTimeWithoutAnybodyCalling) {
  createAuction(client, session, sequence++, "brief", 200'000'000);
  EXPECT_TRUE(bidNow(7, "ann", "0123456789abcdef", "brief").getOutcome().isSuccess());
  clock.advance(201'000'000);
  // It asks the tail, which does not read a clock: the head must close the auction by itself.
  auto tail = connect(1);
  until("the auction to close",
        [&]() { return result(tail, "brief").getAnswer().getAuction().getState().isSold(); });
}

// The simulation found this: the master decides by this clock which nodes it lets in (R15).
TEST_F(Bidding, ClockThatIsSetIsNotTakenForTheTimeOfTheChain) {
  startChain(1);
  auto told = [&]() {
    capnp::MallocMessageBuilder message;
    auto status = message.initRoot<schema::NodeStatus>();
    nodes[0]->node.writeStatus(status, false);
    return status.getWallClock();
  };
  auto before = told();
  EXPECT_EQ(before, clock.wall());
  clock.wallNow += 5'000'000'000;
  EXPECT_EQ(told(), before);
  clock.bootNow += 1'000'000;
  EXPECT_EQ(told(), before + 1'000'000);
}

TEST_F(Bidding, ReserveIsNeverShown) {
  auto create = client.createRequest();
  create.initRequest().setSession(session);
  create.getRequest().setSequence(sequence++);
  create.setAuction("vase");
  identify(create.initOwner(), "owner");
  create.initTerms().setDuration(1'000'000'000);
  create.getTerms().setReserve(5000);
  create.getTerms().setItem("a vase");
  within(create.send(), "an auction");
  auto show = client.showRequest();
  show.setAuction("vase");
  auto response = within(show.send(), "its terms");
  EXPECT_EQ(response.getAnswer().getAuction().getTerms().getReserve(), 0);
  EXPECT_STREQ(response.getAnswer().getAuction().getTerms().getItem().cStr(), "a vase");
}

TEST_F(Bidding, ListsAuctionsPageByPage) {
  for (int i = 0; i < 5; ++i) createAuction(client, session, sequence++, kj::str("vase", i));
  std::uint64_t after = 0;
  std::vector<std::string> names;
  for (bool more = true; more;) {
    auto request = client.listRequest();
    request.setAfter(after);
    request.setLimit(2);
    auto response = within(request.send(), "a page");
    EXPECT_LE(response.getAuctions().size(), 2u);
    for (auto auction: response.getAuctions()) {
      names.push_back(auction.getName().cStr());
      after = auction.getId();
    }
    more = response.getMore();
  }
  EXPECT_THAT(names, ::testing::ElementsAre("lamp", "vase0", "vase1", "vase2", "vase3", "vase4"));
}

}  // namespace
}  // namespace gavel::node
