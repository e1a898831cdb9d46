#include "tests/scenarios/scenarios.h"

// Masters, and their store.
namespace gavel::scenarios {
namespace {

void two(World& world) {
  world.prepare();
  world.quietly([&]() {
    world.start("m2");
    world.go(2 * kj::SECONDS);
  });
  world.step(
      "n2 loses its connection to m1 and finds m2 first. m1 reaches n2, and waits for it to "
      "register again.");
  world.reset("n2", "m1");
  world.settle();
  world.step(
      "n3 dies. m1 sees its connection close, and m2 hears of it from n2; each asks for epoch 2. "
      "The store takes the one that comes first, as it still holds what m1 had read (R3). m2 hears "
      "who has won, and stands by: it sends n2 away, so that all nodes meet at m1. n2 hears of "
      "epoch 2 from n1, and attaches in it, before any master tells it.");
  world.kill("n3");
  world.untilEpoch(2);
  world.until("n2 is back at m1", [&]() { return world.registered("m1", "n2"); });
  world.settle();
}

void rebuild(World& world) {
  world.prepare();
  world.step(
      "m1 dies, and its store is lost for good. The chain goes on without a master: Alice's bid is "
      "committed.");
  world.kill("m1");
  world.loseStore();
  world.bid("alice", 120);
  world.settle();
  world.step(
      "m1 is started with --rebuild. It finds epoch 1 at the nodes and asks all its members to "
      "adopt nothing below 1 + 2^20. Each has that on its disk before it answers. With the word of "
      "all, m1 stores the epoch that they have promised, with the same members, and decides again; "
      "what the lost master may have made in between comes into force nowhere.");
  world.start("m1");
  world.until("the chain is at m1 again", [&]() { return world.epoch() > 1; });
  world.untilEpoch(world.epoch());
  world.settle();
}

}  // namespace

void addMasters(std::vector<Scenario>& all) {
  Setting both;
  both.masters = 2;
  both.storeDelay = 10 * kj::MILLISECONDS;
  all.push_back({"two-masters", "Two masters on one store; only its swap decides (R3).",
                 "m1 and m2 run. n1, n2 and n3 are registered with m1. What a master says to the "
                 "store takes 10 ms, and so does the answer.",
                 both, two});
  all.push_back({"rebuild",
                 "A master's store is lost, and made anew (R3).",
                 "The chain is n1 > n2 > n3, in epoch 1; the log ends at 2.",
                 {},
                 rebuild});
}

}  // namespace gavel::scenarios
