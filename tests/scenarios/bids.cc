#include "tests/scenarios/scenarios.h"

// What becomes of bids and reads while nobody is lost for good.
namespace gavel::scenarios {
namespace {

void bid(World& world) {
  world.step(
      "Three empty nodes register. m1 finds each of them at its address. Its own store is empty, "
      "which may be a loss: for --outage-wait, 3 s, it waits whether a node of an older cluster "
      "registers (R11). None does, and it forms the chain (R3).");
  world.form();
  world.settle();
  world.quietly([&]() {
    world.create();
    world.settle();
  });
  world.step(
      "c1 has created the auction, entries 1 and 2. Alice bids 120. Each node hands the entry on "
      "while its own disk writes it; `durable` follows, and n3 commits up to the lowest of what it "
      "has heard and its own (R5). n3 tells n1 at once, and n2 a little later.");
  world.bid("alice", 120);
  world.settle();
  world.quietly([&]() {
    world.bid("bob", 130);
    world.settle();
  });
  world.step(
      "Bob has bid 130, entry 4. Alice bids 125, which is too low. That is not logged. The answer "
      "waits until the chain has confirmed, after the judging, that n1 is still its head (R8).");
  world.bid("alice", 125);
  world.settle();
}

void confirm(World& world) {
  world.prepare();
  world.quietly([&]() {
    world.bid("alice", 120);
    world.settle();
  });
  world.step(
      "c1 asks n3, the tail, who leads. n3 asks its predecessor, which asks on up to the head.");
  world.read("n3");
  world.settle();
  world.step("c1 asks n2, the middle. n2 asks in both directions before it answers.");
  world.read("n2");
  world.settle();
  world.step(
      "n1 is cut off from all but c1, who asks n2 and n1. Neither is confirmed: n2 hears of n3 "
      "only, and n1 of nobody. m1 hears nothing of n1 for a second and takes it out (R3). The "
      "confirm of epoch 1 has ended with it; n2 answers in epoch 2.");
  world.cutBothWays("n1", "n2");
  world.cutBothWays("n1", "n3");
  world.cutBothWays("n1", "m1");
  world.read("n2");
  world.read("n1");
  world.untilEpoch(2);
  world.settle();
  world.step(
      "n1 does not know that it was deposed. Bob bids 130 there. n1 logs that, and can neither "
      "commit nor answer it. c1 learns of epoch 2 and asks n2 with the same request id (R7).");
  world.bid("bob", 130);
  world.until("Bob has his answer", [&]() { return world.ended() == 7; });
  world.settle();
  world.step(
      "n1 is reached again. What it had asked in epoch 1 comes to n2, which is in epoch 2 and does "
      "not obey it (R1). m1 tells n1 of epoch 2: it stops. Then it joins again, as in join-by-cut "
      "(not told).");
  world.healBothWays("n1", "n2");
  world.healBothWays("n1", "n3");
  world.healBothWays("n1", "m1");
  world.until("n1 knows", [&]() { return world.replica("n1").newest().epoch >= 2; });
  world.quietly([&]() {
    world.untilEpoch(4);
    world.settle();
  });
}

void minMembers(World& world) {
  world.prepare();
  world.step(
      "n2 dies while Alice's bid is under way. n1 alone commits what its log holds (R6), but tells "
      "no success of it, and does not run the bid when it is asked again.");
  world.bid("alice", 120);
  world.go(3 * kj::MILLISECONDS);
  world.kill("n2");
  world.untilEpoch(2);
  world.go(6 * kj::MILLISECONDS);
  world.step("Bob bids 130. n1 logs nothing new.");
  world.bid("bob", 130);
  world.go(3 * kj::MILLISECONDS);
  world.quietly([&]() {
    world.start("n2");
    world.until("n2 has joined", [&]() { return world.epoch() == 4; });
  });
  world.step(
      "n2 was started and has joined (R9, not told). In epoch 4 two members have committed Alice's "
      "entry: her next attempt finds it under her request id (R7). Bob's bid is run.");
  world.until("both have their answers", [&]() { return world.ended() == 3; });
  world.settle();
}

}  // namespace

void addBids(std::vector<Scenario>& all) {
  all.push_back({"bid",
                 "A bid goes through a chain of three, and one is rejected (R5, R8).",
                 "n1 is the head, n2 the middle, n3 the tail.",
                 {},
                 bid});
  all.push_back({"confirm",
                 "Reads wait for the word of the whole chain (R10).",
                 "Alice leads with 120, entry 3. n1 > n2 > n3 is the chain, in epoch 1.",
                 {},
                 confirm});
  Setting two;
  two.nodes = 2;
  two.replicas = 2;
  two.master.minMembers = 2;
  two.master.flapDelay = 0 * kj::SECONDS;
  all.push_back({"min-members", "Fewer members serve than have to (R18).",
                 "The chain is n1 > n2, in epoch 1, with --min-members 2.", two, minMembers});
}

}  // namespace gavel::scenarios
