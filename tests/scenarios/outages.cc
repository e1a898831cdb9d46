#include "tests/scenarios/scenarios.h"

// All members are lost together (R11).
namespace gavel::scenarios {
namespace {

void outage(World& world) {
  world.prepare();
  auto older = world.node("n2").disk().copy();
  world.quietly([&]() {
    world.bid("alice", 120);
    world.go(2 * kj::SECONDS);  // The nodes note their bounds, and m1 too.
  });
  world.step(
      "Bob bids 130, entry 4. All three lose power before it is on any disk. Nobody was told that "
      "it counts.");
  world.bid("bob", 130);
  world.go(4 * kj::MILLISECONDS);
  for (auto name: {"n1", "n2", "n3"}) world.losePower(name);
  world.node("n2").disk().putBack(kj::mv(older));
  world.settle(2 * kj::SECONDS);
  world.step(
      "n2 is started on an older copy of its directory, without Alice's entry. m1 knows that entry "
      "3 is committed, as members had told it. So n2 is no source, and the chain stands still.");
  world.start("n2");
  world.settle(2 * kj::SECONDS);
  world.tellNotice("m1");
  world.step(
      "n3 is started. It served in the last epoch, so its log has all that was committed: it is a "
      "source. m1 waits for n1, which may have more, for --outage-wait, 3 s, and goes on without "
      "it. n2 joins n3 by the log (R9).");
  world.start("n3");
  world.settle(300 * kj::MILLISECONDS);
  world.tellNotice("m1");
  world.untilEpoch(2);
  world.untilEpoch(4);
  world.settle();
}

}  // namespace

void addOutages(std::vector<Scenario>& all) {
  all.push_back({"outage",
                 "All members lose power; who may go on? (R11)",
                 "The chain is n1 > n2 > n3, in epoch 1; entry 3, a bid of Alice, is committed.",
                 {},
                 outage});
}

}  // namespace gavel::scenarios
