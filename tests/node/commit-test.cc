#include <gmock/gmock.h>

#include "tests/node/chain-fixture.h"
#include "tests/node/relay.h"

// The tail's message to the head that something is committed (R5).
namespace gavel::node {
namespace {

using ::testing::HasSubstr;

class Commit: public ChainFixture {
protected:
  ~Commit() noexcept override = default;

  chain::Header header(std::size_t sender) {
    return {configuration.clusterId, configuration.epoch, replica(sender).incarnation(),
            replica(0).incarnation()};
  }
  // Opens a node's link for reports to the head.
  auto report(std::size_t sender) {
    auto client = connect(0);
    auto request = client.reportCommitsRequest();
    header(sender).write(request.initHeader());
    return within(request.send(), "an answer");
  }
  // The error of a message on a link that was not used before; empty if there is none.
  std::string tell(schema::Commits::Client to, const chain::Header& header, std::uint64_t commit) {
    auto request = to.committedRequest();
    header.write(request.initHeader());
    request.setCommit(commit);
    within(request.send(), "the call to leave");
    settle();
    // The failure of a streaming call shows at the next one.
    auto next = to.committedRequest();
    header.write(next.initHeader());
    return within(next.send().then([]() { return kj::str(); },
                                   [](kj::Exception&& e) { return kj::str(e.getDescription()); }),
                  "the end of a call")
        .cStr();
  }
};

TEST_F(Commit, IsKnownToTheHeadBeforeTheMiddle) {
  startChain(4);
  auto client = connect(0);
  unsigned before = 0;
  for (int i = 0; i < 20; ++i) {
    openSession(client);
    if (replica(1).commit() < replica(0).commit()) ++before;
    until("the others to hear of it", [&]() { return replica(1).commit() == replica(0).commit(); });
  }
  EXPECT_GT(before, 5u) << "the head was told by way of the others";
}

TEST_F(Commit, ComesByWayOfTheMiddleWhereTheHeadIsNotReached) {
  startChain(3);
  Relay relay(io, nodes[0]->address);
  configuration = next({0, 1, 2});
  configuration.members[0].address = relay.address();
  for (std::size_t i: {0, 1, 2}) within(replica(i).adopt(configuration), "the chain");
  auto client = connect(0);
  openSession(client);
  relay.silence();
  // Lets several turns pass until the tail has tried and failed, whatever it had sent by then.
  for (int i = 0; i < 10; ++i) openSession(client);
  EXPECT_EQ(replica(0).commit(), 11u);
}

TEST_F(Commit, IsNotHeardFromAnyoneButTheTail) {
  startChain(3);
  auto middle = report(1);
  ASSERT_TRUE(middle.getResult().isRejected());
  EXPECT_EQ(middle.getResult().getRejected().getReason(), schema::Rejection::Reason::NOT_ADDRESSED);
  auto client = connect(1);
  auto request = client.reportCommitsRequest();
  auto toMiddle = header(2);
  toMiddle.receiver = replica(1).incarnation();
  toMiddle.write(request.initHeader());
  EXPECT_TRUE(within(request.send(), "an answer").getResult().isRejected())
      << "the middle is not the head";
}

TEST_F(Commit, OfAnEarlierEpochOrOfWhatThereIsNotIsRefused) {
  startChain(3, Sync::manual);
  EXPECT_THAT(tell(report(2).getResult().getCommits(), header(2), 1),
              HasSubstr("beyond this node's log"));
  EXPECT_THAT(tell(report(2).getResult().getCommits(), header(1), 0), HasSubstr("another link"));

  auto client = connect(0);
  auto session = client.openSessionRequest().send();
  until("the entry to reach the tail", [&]() { return replica(2).logEnd().index == 1; });
  auto old = header(2);
  auto commits = report(2).getResult().getCommits();
  relink({0, 1, 2});
  EXPECT_THAT(tell(commits, old, 1), HasSubstr("this link is over"));
}

}  // namespace
}  // namespace gavel::node
