#include "tests/scenarios/scenarios.h"

// A node comes back and joins after the tail (R9).
namespace gavel::scenarios {
namespace {

Setting quickToLetIn() {
  Setting setting;
  setting.master.flapDelay = 0 * kj::SECONDS;
  return setting;
}

Setting shortLog() {
  auto setting = quickToLetIn();
  setting.node.replica.checkpointBytes = 512;
  setting.node.replica.memoryBytes = 512;
  setting.disk.store.retainedBytes = 512;
  setting.disk.store.partBytes = 256;
  return setting;
}

// Until the others go on without it.
void lose(World& world, std::string_view name) {
  auto next = world.epoch() + 1;
  world.kill(name);
  world.untilEpoch(next);
  world.settle();
}

void byLog(World& world) {
  world.prepare();
  world.quietly([&]() {
    lose(world, "n3");
    world.bid("alice", 120);
    world.bid("bob", 130);
    world.settle();
  });
  world.step(
      "n3 is started. It is another process, and a member of nothing (R2). m1 finds it at its "
      "address and names it syncing. n2, the tail, attaches to it; the last position that both "
      "logs "
      "have is the end of n3's. n2 sends the rest, and commits nothing any more that is not on "
      "n3's "
      "disk. When all that is committed is there, it reports the gate; n3 serves in epoch 4.");
  world.start("n3");
  world.untilEpoch(4);
  world.settle();
}

void byCut(World& world) {
  world.prepare();
  world.step(
      "The link between n1 and n2 is cut. Two bids come to n1 and no further. n1 dies. n2 and n3 "
      "go "
      "on without it in epoch 2, as in head-lost (not told). c1 asks n2 with the same request ids; "
      "n2 has nothing of them and runs both bids, as entries 3 and 4 of epoch 2.");
  world.cutBothWays("n1", "n2");
  world.bid("alice", 120);
  world.go(3 * kj::MILLISECONDS);
  world.bid("bob", 130);
  world.go(20 * kj::MILLISECONDS);
  world.kill("n1");
  world.quietly([&]() {
    world.untilEpoch(2);
    world.until("both have their answers", [&]() { return world.ended() == 3; });
    world.settle();
  });
  world.step(
      "n1 is started, with entries 3 and 4 of epoch 1, which were never committed. n3, the tail, "
      "seeks the last position that both logs have: none of epoch 2 can be in n1's, so it asks for "
      "the last of epoch 1. n1 drops what follows it, durably, before it tells what is on its "
      "disk. "
      "What n1's old process had sent comes to n2 only now, and is refused (R1).");
  world.healBothWays("n1", "n2");
  world.start("n1");
  world.untilEpoch(4);
  world.settle();
}

void bySnapshot(World& world) {
  world.prepare();
  world.quietly([&]() {
    lose(world, "n3");
    for (int i = 0; i < 12; ++i) {
      world.bid("alice", 120 + 10 * i);
      world.settle();
    }
  });
  world.step(
      "n3 is started. Its log ends at 2, and n2's begins after that by now. So n3 drops everything "
      "and takes n2's newest checkpoint, then the log after it. From there on all is as in "
      "join-by-log.");
  world.start("n3");
  world.untilEpoch(4);
  world.settle();
}

void gate(World& world) {
  world.prepare();
  world.quietly([&]() {
    lose(world, "n3");
    world.start("n3");
    world.until("n2 gates n3", [&]() { return world.replica("n2").gating(); });
    world.cut("n2", "m1");
    world.node("n3").disk().crawlFor(50 * kj::MILLISECONDS, world.now() + 100 * kj::MILLISECONDS);
    world.settle();
  });
  world.step(
      "n3 is syncing after n2, in epoch 3. n2 gates it, but what n2 reports does not come to m1; "
      "and each sync of n3 takes 54 ms. Alice bids 120. n1 and n2 have the entry on their disks "
      "after 6 ms. It is committed when it is on n3's as well, though n3 does not serve yet.");
  world.bid("alice", 120);
  world.until("Alice has her answer", [&]() { return world.ended() == 2; });
  world.settle();
  world.step(
      "m1 hears of the gate, and makes epoch 4 from exactly epoch 3. n3 is the tail now. Whatever "
      "was committed is on its disk.");
  world.heal("n2", "m1");
  world.untilEpoch(4);
  world.settle();
}

}  // namespace

void addJoins(std::vector<Scenario>& all) {
  all.push_back({"join-by-log", "A node joins by the log (R9).",
                 "n3 was killed in epoch 1, with a log up to 2. In epoch 2, n1 > n2 have committed "
                 "entries 3 and 4.",
                 quickToLetIn(), byLog});
  all.push_back({"join-by-cut", "A node joins that holds what the chain does not have (R9).",
                 "The chain is n1 > n2 > n3, in epoch 1; the log ends at 2.", quickToLetIn(),
                 byCut});
  all.push_back({"join-by-snapshot", "A node joins by a snapshot (R9).",
                 "n3 was killed in epoch 1, with a log up to 2. In epoch 2, n1 > n2 have committed "
                 "12 more bids, made checkpoints, and dropped the beginning of their logs.",
                 shortLog(), bySnapshot});
  all.push_back({"gate", "While the tail gates a joiner, nothing is committed without it (R9).",
                 "n3 was killed in epoch 1 and is started again.", quickToLetIn(), gate});
}

}  // namespace gavel::scenarios
