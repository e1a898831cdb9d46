#include "chain/commit-tracker.h"

#include <gtest/gtest.h>

namespace gavel::chain {
namespace {

TEST(CommitTracker, TailCommitsWhatIsDurableUpstreamAndHere) {
  CommitTracker tail;
  tail.adopt(Role::tail, 0);
  tail.persisted(5);
  EXPECT_EQ(tail.commit(), 0u) << "nothing is known of the others yet";
  tail.heardUpstream(3);
  EXPECT_EQ(tail.commit(), 3u);
  tail.heardUpstream(9);
  EXPECT_EQ(tail.commit(), 5u);
}

TEST(CommitTracker, OthersCommitWhatTheSuccessorSays) {
  CommitTracker middle;
  middle.adopt(Role::middle, 0);
  middle.persisted(5);
  middle.heardUpstream(5);
  EXPECT_EQ(middle.commit(), 0u);
  middle.heardCommit(4);
  EXPECT_EQ(middle.commit(), 4u);
  middle.heardCommit(2);
  EXPECT_EQ(middle.commit(), 4u) << "an old number changes nothing";
}

TEST(CommitTracker, ChainOfOneCommitsAfterItsOwnDiskOnly) {
  CommitTracker single;
  single.adopt(Role::single, 7);
  EXPECT_EQ(single.commit(), 0u);
  single.persisted(7);
  EXPECT_EQ(single.commit(), 7u);
}

TEST(CommitTracker, TellsTheLowestDurableIndexDownstream) {
  CommitTracker middle;
  middle.adopt(Role::middle, 0);
  middle.persisted(5);
  EXPECT_EQ(middle.toSuccessor(), 0u) << "not before the predecessor was heard in this epoch";
  middle.heardUpstream(3);
  EXPECT_EQ(middle.toSuccessor(), 3u);
  middle.heardUpstream(8);
  EXPECT_EQ(middle.toSuccessor(), 5u);

  CommitTracker head;
  head.adopt(Role::head, 0);
  head.persisted(4);
  EXPECT_EQ(head.toSuccessor(), 4u) << "the head needs to hear nobody";
}

TEST(CommitTracker, ForgetsNeighboursNumbersWithTheEpoch) {
  CommitTracker node;
  node.adopt(Role::middle, 0);
  node.persisted(9);
  node.heardUpstream(9);
  node.heardCommit(4);
  node.adopt(Role::tail, 9);
  EXPECT_EQ(node.toSuccessor(), 0u);
  EXPECT_EQ(node.commit(), 4u);
  EXPECT_FALSE(node.pastBarrier());
  node.heardUpstream(8);
  EXPECT_EQ(node.commit(), 8u);
  EXPECT_FALSE(node.pastBarrier());
  node.heardUpstream(9);
  EXPECT_TRUE(node.pastBarrier());
}

TEST(CommitTracker, AnOldTailGetsABarrierInEachEpoch) {
  CommitTracker tail;
  tail.adopt(Role::tail, 0);
  EXPECT_TRUE(tail.pastBarrier());
  tail.persisted(6);
  tail.heardUpstream(4);
  tail.adopt(Role::tail, 6);
  EXPECT_FALSE(tail.pastBarrier());
}

TEST(CommitTracker, NewHeadAloneCommitsWhatItAlreadyHasOnDisk) {
  CommitTracker node;
  node.adopt(Role::tail, 0);
  node.persisted(6);
  node.heardUpstream(4);
  EXPECT_EQ(node.commit(), 4u);
  node.adopt(Role::single, 8);
  EXPECT_EQ(node.commit(), 6u);
  EXPECT_FALSE(node.pastBarrier());
  node.persisted(8);
  EXPECT_TRUE(node.pastBarrier());
}

TEST(CommitTracker, GatedTailCommitsOnlyWhatTheJoinerHasAsWell) {
  CommitTracker tail;
  tail.adopt(Role::tail, 0);
  tail.heardUpstream(9);
  tail.persisted(5);
  EXPECT_EQ(tail.commit(), 5u) << "a joiner does not count before it is gated";
  tail.gate();
  tail.persisted(7);
  EXPECT_EQ(tail.commit(), 5u);
  tail.joinerPersisted(6);
  EXPECT_EQ(tail.commit(), 6u);
  tail.joinerPersisted(9);
  EXPECT_EQ(tail.commit(), 7u);
  tail.adopt(Role::tail, 9);
  tail.persisted(9);
  tail.heardUpstream(9);
  EXPECT_EQ(tail.commit(), 9u) << "a gate belongs to its epoch";
}

TEST(CommitTracker, GateHoldsOnceTheJoinerHasToldAllThatIsCommitted) {
  CommitTracker tail;
  tail.persisted(5);
  tail.adopt(Role::tail, 5);
  tail.gate();
  tail.joinerPersisted(5);
  EXPECT_FALSE(tail.gateHolds()) << "it is not past its own barrier";
  tail.heardUpstream(5);
  EXPECT_TRUE(tail.gateHolds());
  tail.joinerAttached();
  EXPECT_FALSE(tail.gateHolds()) << "what was told on an earlier link does not count";
  tail.joinerPersisted(4);
  EXPECT_FALSE(tail.gateHolds());
  tail.joinerPersisted(5);
  EXPECT_TRUE(tail.gateHolds());
}

TEST(CommitTracker, JoinerCommitsWhatItIsToldAndHasOnDisk) {
  CommitTracker joiner;
  joiner.restart(3, 2);
  joiner.adopt(Role::syncing, 3);
  EXPECT_EQ(joiner.commit(), 2u);
  joiner.heardCommit(8);
  EXPECT_EQ(joiner.commit(), 3u);
  joiner.persisted(6);
  EXPECT_EQ(joiner.commit(), 6u);
}

TEST(CommitTracker, RestartForgetsWhatWasDropped) {
  CommitTracker joiner;
  joiner.adopt(Role::syncing, 0);
  joiner.persisted(9);
  joiner.heardCommit(9);
  joiner.restart(4, 4);
  EXPECT_EQ(joiner.durable(), 4u);
  EXPECT_EQ(joiner.commit(), 4u);
  joiner.persisted(6);
  EXPECT_EQ(joiner.commit(), 4u) << "the commit index it heard was about other entries";
}

}  // namespace
}  // namespace gavel::chain
