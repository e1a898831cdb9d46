#include "chain/chain-confirm.h"

#include <deque>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

// R10: which nodes are asked, when, and which callers get the answer.
namespace gavel::chain {
namespace {

using ::testing::HasSubstr;

// A node whose neighbours answer when the test wants.
class FakeNode final: public ChainConfirm::Host {
public:
  Role role_ = Role::middle;
  bool gates = false;
  bool hangs = false;
  bool pastBarrier = true;
  std::uint64_t commit = 7;
  std::vector<std::uint64_t> heard;

  std::deque<kj::Own<kj::PromiseFulfiller<void>>> above;
  std::deque<kj::Own<kj::PromiseFulfiller<std::uint64_t>>> below;
  std::deque<kj::Own<kj::PromiseFulfiller<void>>> barrier;

  Role role() const override { return role_; }
  kj::Promise<void> confirmByPredecessor() override {
    auto paf = kj::newPromiseAndFulfiller<void>();
    above.push_back(kj::mv(paf.fulfiller));
    return kj::mv(paf.promise);
  }
  kj::Promise<std::uint64_t> confirmBySuccessor() override {
    auto paf = kj::newPromiseAndFulfiller<std::uint64_t>();
    below.push_back(kj::mv(paf.fulfiller));
    return kj::mv(paf.promise);
  }
  kj::Promise<void> whenPastBarrier() override {
    if (pastBarrier) return kj::READY_NOW;
    auto paf = kj::newPromiseAndFulfiller<void>();
    barrier.push_back(kj::mv(paf.fulfiller));
    return kj::mv(paf.promise);
  }
  bool gating() const override { return gates; }
  bool diskHangs() const override { return hangs; }
  std::uint64_t commitIndex() const override { return commit; }
  void confirmedCommit(std::uint64_t index) override { heard.push_back(index); }
};

class ChainConfirmTest: public ::testing::Test {
protected:
  ~ChainConfirmTest() noexcept override = default;

  kj::EventLoop loop;
  kj::WaitScope waitScope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>() + 1 * kj::SECONDS};
  FakeNode node;
  ChainConfirm confirm{node, timer};

  // Empty until there is an answer or a failure.
  template <typename T>
  std::string failureOf(kj::Promise<T> promise) {
    if (!promise.poll(waitScope)) return {};
    auto done = promise.then([](auto&&...) {});
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { done.wait(waitScope); })) {
      EXPECT_EQ(exception->getType(), kj::Exception::Type::OVERLOADED);
      return exception->getDescription().cStr();
    }
    return "none";
  }
};

TEST_F(ChainConfirmTest, MiddleNeedsTheWordOfBothSides) {
  auto asked = confirm.confirmed();
  EXPECT_FALSE(asked.poll(waitScope));
  ASSERT_EQ(node.above.size(), 1u);
  ASSERT_EQ(node.below.size(), 1u);
  node.above[0]->fulfill();
  EXPECT_FALSE(asked.poll(waitScope)) << "one neighbour's word is not enough";
  node.below[0]->fulfill(9);
  EXPECT_TRUE(asked.poll(waitScope));
  EXPECT_EQ(node.heard, std::vector<std::uint64_t>{9});
}

TEST_F(ChainConfirmTest, HeadAsksBelowAndTailAsksAbove) {
  node.role_ = Role::head;
  auto atHead = confirm.confirmed();
  EXPECT_FALSE(atHead.poll(waitScope));
  EXPECT_EQ(node.above.size(), 0u);
  node.below.at(0)->fulfill(9);
  EXPECT_TRUE(atHead.poll(waitScope));

  node.role_ = Role::tail;
  auto atTail = confirm.confirmed();
  EXPECT_FALSE(atTail.poll(waitScope));
  EXPECT_EQ(node.below.size(), 1u);
  node.above.at(0)->fulfill();
  EXPECT_TRUE(atTail.poll(waitScope));
  EXPECT_EQ(node.heard, (std::vector<std::uint64_t>{9, 7}));
}

TEST_F(ChainConfirmTest, ThoseWhoAskInOneTurnShareAConfirm) {
  auto one = confirm.confirmed();
  auto two = confirm.confirmed();
  EXPECT_FALSE(one.poll(waitScope));
  EXPECT_EQ(node.above.size(), 1u);
  node.above[0]->fulfill();
  node.below.at(0)->fulfill(9);
  EXPECT_TRUE(one.poll(waitScope));
  EXPECT_TRUE(two.poll(waitScope));
}

TEST_F(ChainConfirmTest, WhoAsksLaterNeedsAConfirmThatBeginsLater) {
  auto early = confirm.confirmed();
  EXPECT_FALSE(early.poll(waitScope));
  auto late = confirm.confirmed();
  node.above.at(0)->fulfill();
  node.below.at(0)->fulfill(9);
  EXPECT_TRUE(early.poll(waitScope));
  EXPECT_FALSE(late.poll(waitScope)) << "that confirm began before the question";
  node.above.at(1)->fulfill();
  node.below.at(1)->fulfill(10);
  EXPECT_TRUE(late.poll(waitScope));
}

TEST_F(ChainConfirmTest, RelayNeverJoinsAConfirmUnderWay) {
  auto own = confirm.confirmed();
  EXPECT_FALSE(own.poll(waitScope));
  auto first = confirm.upward();
  auto second = confirm.upward();
  auto third = confirm.downward();
  EXPECT_EQ(node.above.size(), 3u) << "asked anew for each";
  EXPECT_EQ(node.below.size(), 2u);
  node.above[0]->fulfill();
  node.above[1]->fulfill();
  EXPECT_TRUE(first.poll(waitScope));
  EXPECT_FALSE(second.poll(waitScope));
  EXPECT_FALSE(third.poll(waitScope));
}

TEST_F(ChainConfirmTest, HeadAndTailAnswerForThemselves) {
  node.role_ = Role::head;
  EXPECT_TRUE(confirm.upward().poll(waitScope));
  node.role_ = Role::tail;
  EXPECT_EQ(confirm.downward().wait(waitScope), 7u);
  node.role_ = Role::single;
  EXPECT_TRUE(confirm.confirmed().poll(waitScope));
  EXPECT_TRUE(node.above.empty() && node.below.empty());
}

TEST_F(ChainConfirmTest, NobodyConfirmsWhileItsDiskHangs) {
  node.hangs = true;
  auto asked = confirm.confirmed();
  EXPECT_THAT(failureOf(kj::mv(asked)), ::testing::HasSubstr("disk of a member does not answer"));
  EXPECT_THAT(failureOf(confirm.upward()), ::testing::HasSubstr("disk"));
  EXPECT_THAT(failureOf(confirm.downward()), ::testing::HasSubstr("disk"));
  EXPECT_EQ(node.above.size() + node.below.size(), 0u);
  node.hangs = false;
  EXPECT_EQ(failureOf(confirm.upward()), "");
  EXPECT_EQ(node.above.size(), 1u);
}

TEST_F(ChainConfirmTest, TailBeforeItsBarrierMakesTheAskerWait) {
  node.role_ = Role::tail;
  node.pastBarrier = false;
  auto asked = confirm.downward();
  EXPECT_FALSE(asked.poll(waitScope));
  node.commit = 12;
  node.barrier.at(0)->fulfill();
  EXPECT_EQ(asked.wait(waitScope), 12u);
}

TEST_F(ChainConfirmTest, TailThatGatesAsksTheJoiner) {
  node.role_ = Role::tail;
  node.gates = true;
  auto asked = confirm.downward();
  EXPECT_FALSE(asked.poll(waitScope));
  node.below.at(0)->fulfill(3);
  EXPECT_EQ(asked.wait(waitScope), 7u) << "the tail's own commit index, not the joiner's";
}

TEST_F(ChainConfirmTest, TailThatBeginsToGateWhileItWaitsAsksTheJoiner) {
  node.role_ = Role::tail;
  node.pastBarrier = false;
  auto asked = confirm.downward();
  EXPECT_FALSE(asked.poll(waitScope));
  node.gates = true;
  node.barrier.at(0)->fulfill();
  EXPECT_FALSE(asked.poll(waitScope));
  node.below.at(0)->fulfill(3);
  EXPECT_TRUE(asked.poll(waitScope));
}

TEST_F(ChainConfirmTest, JoinerAnswersForItselfAndServesNobody) {
  node.role_ = Role::syncing;
  EXPECT_TRUE(confirm.downward().poll(waitScope));
  EXPECT_THAT(failureOf(confirm.confirmed()), HasSubstr("serves in no chain"));
  node.role_ = Role::waiting;
  EXPECT_THAT(failureOf(confirm.confirmed()), HasSubstr("serves in no chain"));
  EXPECT_THAT(failureOf(confirm.downward()), HasSubstr("re-linked"));
}

TEST_F(ChainConfirmTest, EndOfTheEpochEndsAllThatIsUnderWay) {
  auto asked = confirm.confirmed();
  EXPECT_FALSE(asked.poll(waitScope));
  auto next = confirm.confirmed();
  auto up = confirm.upward();
  auto down = confirm.downward();
  confirm.stop();
  EXPECT_THAT(failureOf(kj::mv(asked)), HasSubstr("re-linked"));
  EXPECT_THAT(failureOf(kj::mv(next)), HasSubstr("re-linked"));
  EXPECT_THAT(failureOf(kj::mv(up)), HasSubstr("re-linked"));
  EXPECT_THAT(failureOf(kj::mv(down)), HasSubstr("re-linked"));
  EXPECT_TRUE(node.heard.empty());

  // The next epoch begins with a confirm of its own.
  auto later = confirm.confirmed();
  EXPECT_FALSE(later.poll(waitScope));
  node.above.back()->fulfill();
  node.below.back()->fulfill(9);
  EXPECT_TRUE(later.poll(waitScope));
}

TEST_F(ChainConfirmTest, LinkMadeAnewEndsWhatWasAskedOverTheOneBefore) {
  auto asked = confirm.confirmed();
  EXPECT_FALSE(asked.poll(waitScope));
  auto relayed = confirm.upward();
  auto next = confirm.confirmed();
  confirm.interrupt();
  EXPECT_THAT(failureOf(kj::mv(asked)), HasSubstr("try again"));
  EXPECT_THAT(failureOf(kj::mv(relayed)), HasSubstr("try again"));
  EXPECT_FALSE(next.poll(waitScope));
  node.above.back()->fulfill();
  node.below.back()->fulfill(9);
  EXPECT_TRUE(next.poll(waitScope)) << "it does not wait for the old link";
}

TEST_F(ChainConfirmTest, ThoseWhoHaveGoneDoNotCount) {
  auto asked = confirm.confirmed();
  EXPECT_FALSE(asked.poll(waitScope));
  auto next = confirm.confirmed();
  { auto gone = confirm.confirmed(); }
  EXPECT_EQ(confirm.waiting(), 1u);
}

TEST_F(ChainConfirmTest, NeighbourThatFailsFailsThoseWhoAskedAndNobodyElse) {
  auto asked = confirm.confirmed();
  EXPECT_FALSE(asked.poll(waitScope));
  auto next = confirm.confirmed();
  node.above.at(0)->reject(KJ_EXCEPTION(DISCONNECTED, "gone"));
  EXPECT_THAT(failureOf(kj::mv(asked)), HasSubstr("does not confirm"));
  EXPECT_FALSE(next.poll(waitScope));
  node.above.at(1)->fulfill();
  node.below.at(1)->fulfill(9);
  EXPECT_TRUE(next.poll(waitScope));
}

TEST_F(ChainConfirmTest, SilentNeighbourIsNotWaitedForForEver) {
  auto asked = confirm.confirmed();
  EXPECT_FALSE(asked.poll(waitScope));
  timer.advanceTo(timer.now() + 3 * kj::SECONDS);
  EXPECT_THAT(failureOf(kj::mv(asked)), HasSubstr("does not confirm"));
}

}  // namespace
}  // namespace gavel::chain
