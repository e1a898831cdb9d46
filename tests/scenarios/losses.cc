#include "tests/scenarios/scenarios.h"

// A member is lost, or a link, or a disk.
namespace gavel::scenarios {
namespace {

constexpr const char* THREE = "The chain is n1 > n2 > n3, in epoch 1; the log ends at 2.";

void head(World& world) {
  world.prepare();
  world.step(
      "n1 dies when n2 and n3 have Alice's entry, but not on their disks. m1 finds that the "
      "connection has closed and a new one is refused. n2 becomes the head and keeps what its log "
      "has (R6). What n1 had said is forgotten with epoch 1; n3 commits what n2 says is on its "
      "disk "
      "(R5). c1 asks n2 with the same request id and is told of entry 3: the bid counts once "
      "(R7).");
  world.bid("alice", 120);
  world.go(4 * kj::MILLISECONDS);
  world.kill("n1");
  world.until("Alice has her answer", [&]() { return world.ended() == 2; });
  world.settle();
}

void middle(World& world) {
  world.prepare();
  world.step(
      "n2 loses power with Alice's entry, before anything of it has left for n3. Nobody is told: "
      "m1 "
      "hears nothing of n2 for a second and takes it out. n1 attaches to n3, whose log ends at 2, "
      "and sends what is missing again (R6).");
  world.bid("alice", 120);
  world.go(2500 * kj::MICROSECONDS);
  world.losePower("n2");
  world.until("Alice has her answer", [&]() { return world.ended() == 2; });
  world.settle();
}

void tail(World& world) {
  world.prepare();
  world.step(
      "n3 dies right before Alice's entry would be on its disk. n2 becomes the tail. Before it "
      "commits, it hears in epoch 2 what is on the disk of n1 (R5); before it answers queries, its "
      "commit index has to reach the end that its log had (R6).");
  world.bid("alice", 120);
  world.go(6500 * kj::MICROSECONDS);
  world.kill("n3");
  world.until("Alice has her answer", [&]() { return world.ended() == 2; });
  world.settle();
}

void link(World& world) {
  world.prepare();
  world.step(
      "The link between n2 and n3 is cut in both directions; m1 hears both. After a second without "
      "progress n2 says so. m1 asks both, is answered, and takes n3 out: n1 > n2 has no dead pair. "
      "n3 is told as well, and stops. Alice's bid, which has waited, is committed.");
  world.cutBothWays("n2", "n3");
  world.bid("alice", 120);
  world.until("Alice has her answer", [&]() { return world.ended() == 2; });
  world.settle();
  world.step(
      "n3 is heard and would join. But n2 is the tail, so it does not for --link-retry, 10 s.");
  world.go(2 * kj::SECONDS);
  world.tellNotice("m1");
  world.step(
      "The link is repaired. What n2 had sent in epoch 1 comes to n3, which refuses it (R1). After "
      "10 s the pair is tried again: n3 joins (not told in full).");
  world.healBothWays("n2", "n3");
  world.until("n3 joins", [&]() { return world.epoch() == 3; });
  world.quietly([&]() {
    world.untilEpoch(4);
    world.settle();
  });
}

void hang(World& world) {
  world.prepare();
  world.step(
      "The disk of n2 stands still. n2 is idle, but probes its disk each second. It notices when a "
      "probe has not ended for --disk-patience, here 1 s.");
  world.hang("n2", 20 * kj::SECONDS);
  world.until("n2 knows", [&]() { return world.replica("n2").diskHangs(); });
  world.go(1500 * kj::MILLISECONDS);
  world.step(
      "m1 waits for 2 s, as disks that hang together are noticed up to that much apart. After 1.5 "
      "s "
      "of them Alice bids 120: n2 hands the entry on, but without its disk nothing is committed. "
      "Then n2 is taken out, like a lost one, and n3 commits. n2, no member any more, ends.");
  world.bid("alice", 120);
  world.until("Alice has her answer", [&]() { return world.ended() == 2; });
  world.until("n2 has ended", [&]() { return !world.node("n2").runs(); });
  world.settle();
}

}  // namespace

void addLosses(std::vector<Scenario>& all) {
  all.push_back({"head-lost", "The head is lost (R6, R7).", THREE, {}, head});
  all.push_back({"middle-lost",
                 "The middle is lost, and with it an entry that the tail does not "
                 "have (R6).",
                 THREE,
                 {},
                 middle});
  all.push_back({"tail-lost", "The tail is lost (R5, R6).", THREE, {}, tail});
  all.push_back({"dead-link",
                 "Two neighbours cannot talk to each other, and m1 hears both (R6).",
                 THREE,
                 {},
                 link});
  Setting impatient;
  impatient.node.replica.diskPatience = 1 * kj::SECONDS;
  all.push_back({"disk-hangs", "A disk does not answer any more (R12).", THREE, impatient, hang});
}

}  // namespace gavel::scenarios
