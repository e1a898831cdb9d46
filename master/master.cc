#include "master/master.h"

#include <utility>

#include <kj/debug.h>

#include "base/duration.h"
#include "base/logging.h"
#include "base/planted.h"
#include "master/probe.h"

namespace gavel::master {
namespace {

// The deadline includes a sync: a node confirms a configuration only once that is on its disk.
constexpr auto CONFIGURE_DEADLINE = 2 * kj::SECONDS;

std::string milliseconds(std::int64_t nanoseconds) {
  auto text = std::to_string(nanoseconds / 1'000'000) + ".";
  text += static_cast<char>('0' + nanoseconds / 100'000 % 10);
  return text;
}

}  // namespace

kj::Promise<kj::Own<Master>> Master::open(kj::Timer& timer, kj::Network& network,
                                          ConfigStore& store, const SystemClock& clock,
                                          Random& random, Settings settings) {
  return Ledger::open(store).then(
      [&timer, &network, &store, &clock, &random, settings](kj::Own<Ledger> ledger) {
        auto bounds = kj::heap<BoundKeeper>(timer, store);
        auto loaded = bounds->load(ledger->document().clusterId);
        return loaded.then([&timer, &network, &clock, &random, settings, ledger = kj::mv(ledger),
                            bounds = kj::mv(bounds)]() mutable {
          return kj::heap<Master>(timer, network, clock, random, settings, kj::mv(ledger),
                                  kj::mv(bounds));
        });
      });
}

Master::Master(kj::Timer& timer, kj::Network& network, const SystemClock& clock, Random& random,
               Settings settings, kj::Own<Ledger> ledger, kj::Own<BoundKeeper> keeper)
    : timer(timer),
      network(network),
      clock(clock),
      random(random),
      settings(settings),
      ledger(kj::mv(ledger)),
      bounds(kj::mv(keeper)),
      copies(2 * settings.suspectAfter + 1 * kj::SECONDS),
      start(this->ledger->current(), settings.outageWait, timer.now()),
      suspicion(settings.suspectAfter),
      flapping(settings.flapDelay, settings.flapForgive),
      links(settings.suspectAfter),
      deadPairs(settings.linkRetry),
      failed(kj::newPromiseAndFulfiller<void>()),
      announcer(timer, CONFIGURE_DEADLINE,
                [this](std::uint64_t incarnation, std::uint64_t epoch) {
                  acknowledged(incarnation, epoch);
                }),
      anchor(*this),
      tasks(*this) {
  KJ_REQUIRE(settings.replicas > 0 && settings.minMembers <= settings.replicas);
  wake();
  if (current().epoch == 0) {
    logInfo("waiting for nodes to form the chain", {{"replicas", settings.replicas}});
  } else {
    logInfo("leading the stored configuration",
            {{"epoch", current().epoch}, {"members", current().describe()}});
  }
  configurationChanged(By::us);
  tasks.add(tick());
  tasks.add(this->ledger->follow([this]() { configurationChanged(By::others); }));
  tasks.add(bounds->failure());
}

void Master::wake() {
  if (suspicion.awake(timer.now(), clock.sinceBoot())) {
    logWarning("this process was paused or starved: all nodes get a fresh grace");
    wokeAt = timer.now();
  }
}

bool Master::justWoke() const {
  KJ_IF_MAYBE (woke, wokeAt) {
    return timer.now() - *woke < settings.suspectAfter;
  }
  return false;
}

kj::Promise<void> Master::tick() {
  return timer.afterDelay(suspicion.checkEvery()).then([this]() {
    wake();
    suspicion.check(timer.now());
    comparePace();
    warnIfSlow();
    evaluateSoon();
    return tick();
  });
}

// All that happens in one turn of the event loop is judged together, at its end.
void Master::evaluateSoon() {
  if (evaluating) return;
  evaluating = true;
  tasks.add(kj::evalLast([this]() { evaluate(); }));
}

void Master::evaluateAt(kj::TimePoint when) {
  tasks.add(timer.atTime(when).then([this]() { evaluateSoon(); }));
}

void Master::evaluate() {
  evaluating = false;
  if (stopped) return;
  wake();
  noteLinks();
  startProbes();
  if (standsBy()) return;
  if (ledger->busy() || !mayDecide()) return;  // written() calls this again.
  if (current().epoch == 0) {
    considerForming();
  } else if (!considerGate() && !considerRemoving() && !considerLinks() && !considerSlow()) {
    // No member is to be removed, or none can be.
    considerJoining();
  }
  if (!ledger->busy()) considerRules();
  if (!ledger->busy()) carryOutOrders();
  if (!ledger->busy()) storeDurations();
}

void Master::startProbes() {
  for (auto& asked: suspicion.takeProbes(timer.now())) {
    auto* member = current().find(asked.incarnation);
    auto* node = roster.find(asked.incarnation);
    if (member == nullptr && node != nullptr) member = &node->member();
    if (member == nullptr) continue;
    tasks.add(
        probe(network, timer, member->address.c_str(), asked.incarnation, suspicion.probeTimeout())
            .then([this, asked, began = timer.now()](ProbeResult result) {
              wake();
              suspicion.probed(asked, result, timer.now());
              if (result == ProbeResult::alive) {
                links.answered(asked.incarnation, began);
                // It may send its heartbeats to another master.
                if (suspicion.isExpected(asked.incarnation)) {
                  links.heard(asked.incarnation, timer.now());
                }
              }
              evaluateSoon();
            }));
  }
}

Document Master::documentWith(Configuration next) const {
  next.stamp = clock.wall();
  next.minMembers = settings.minMembers;
  logDebug("storing a configuration",
           {{"epoch", next.epoch}, {"members", next.describe()}, {"cause", next.cause}});
  auto before = ledger->document();
  before.bound = bound();
  auto document = before.with(std::move(next));
  for (auto& member: document.current().members) {
    auto* node = roster.find(member.incarnation);
    if (node == nullptr) continue;
    document.remember({member.storeId, node->candidate.generation, member.incarnation});
  }
  return document;
}

void Master::put(Configuration next, kj::TimePoint since) {
  auto document = documentWith(std::move(next));
  if (planted(Bug::announceBeforeStore)) announcer.announce(document.current());
  tasks.add(ledger->replace(document).then(
      [this, mine = document.current(), since]() { written(mine, since); }));
}

void Master::written(const Configuration& mine, kj::TimePoint since) {
  evaluateSoon();
  bool stored = current() == mine;
  if (stored && timing.begin(mine, since)) {
    logInfo("re-link overtaken by the next one", {{"by", mine.epoch}});
  }
  configurationChanged(stored ? By::us : By::others);
}

// Called whenever ledger->current() may have changed.
void Master::configurationChanged(By by) {
  if (by == By::others && current().epoch != lastSeen.epoch) standBy();
  noteMemberships();
  std::set<std::uint64_t> known;
  for (auto& [incarnation, node]: roster.all()) known.insert(incarnation);
  for (auto& member: current().members) {
    known.insert(member.incarnation);
    suspicion.expect(member.incarnation, timer.now());  // Nothing if it is known already.
  }
  suspicion.retain(known);
  for (auto& [incarnation, node]: roster.all()) {
    // A member may have been restarted while the configuration was being stored.
    if (node.session != 0) supersede(node.member());
  }
  timing.inForce(current().epoch);
  timing.stored(ledger->document().relinks);
  announcer.announce(current());
  prune();
}

// At their next heartbeat nodes learn that they are not registered, and register elsewhere.  The
// duration is random, or masters that overtake each other would stand by in step.
void Master::standBy() {
  logInfo("another master has changed the configuration",
          {{"epoch", current().epoch}, {"members", current().describe()}});
  bool leads = false;
  for (auto& [incarnation, node]: roster.all()) {
    auto* registered = roster.find(incarnation);
    if (registered->session == 0) continue;
    leads = true;
    registered->session = 0;
    announcer.remove(incarnation);
    suspicion.forget(incarnation);
  }
  if (!leads) return;  // It has no nodes to send away.
  auto permille = 1000 + static_cast<std::int64_t>(random.next() % 1000);
  auto duration = settings.suspectAfter * permille / 1000;
  standbyUntil = timer.now() + duration;
  gated = nullptr;
  logInfo("stands by, so that all nodes meet at the other master",
          {{"for", formatDuration(duration)}});
}

bool Master::standsBy() const {
  KJ_IF_MAYBE (until, standbyUntil) {
    return timer.now() < *until;
  }
  return false;
}

// Notes what follows from the difference between the members now and those before.
void Master::noteMemberships() {
  auto now = timer.now();
  for (auto& member: lastSeen.members) {
    if (current().contains(member.incarnation)) continue;
    if (suspicion.lost(member.incarnation) != nullptr &&
        !contains(ledger->document().drained, member.name)) {
      flapping.lost(member.name, now);
    } else {
      flapping.left(member.name);
    }
  }
  for (auto& member: current().members) {
    flapping.joined(member.name, now);
    if (member.serving) orders.wanted.erase(member.name);
    auto* node = roster.find(member.incarnation);
    if (node == nullptr) continue;
    node->candidate.clusterId = current().clusterId;
    node->candidate.empty = false;
    if (member.serving && node->candidate.unsynced) {
      told[member.incarnation].unsynced = true;
    }
  }
  std::erase_if(told, [this](auto& each) {
    auto* member = current().find(each.first);
    return member == nullptr || !member->serving;
  });
  if (lastSeen.epoch != current().epoch) {
    suspicion.forgetReports();
    outage = nullptr;
    sourceSince = nullptr;
  }
  lastSeen = current();
}

void Master::acknowledged(std::uint64_t incarnation, std::uint64_t epoch) {
  KJ_IF_MAYBE (duration, timing.acknowledged(incarnation, epoch, timer.now())) {
    logInfo("re-linked", {{"epoch", current().epoch},
                          {"cause", current().cause},
                          {"members", current().describe()},
                          {"ms", milliseconds(*duration)}});
    // The duration is stored later, so that it does not delay the next re-link.
    storeDurationsAt = timer.now() + settings.suspectAfter / 4;
    evaluateAt(timer.now() + settings.suspectAfter / 4);
  }
}

void Master::warnIfSlow() {
  auto awaited = timing.slow(current(), timer.now(), 2 * settings.suspectAfter);
  if (awaited.empty()) return;
  logWarning("members have not confirmed the new configuration yet",
             {{"epoch", current().epoch}, {"awaited", awaited}});
}

void Master::storeDurations() {
  KJ_IF_MAYBE (when, storeDurationsAt) {
    bool gathering = gatherUntil.orDefault(timer.now()) > timer.now();
    if (*when > timer.now() || ledger->busy() || gathering) return;
    storeDurationsAt = nullptr;
    auto document = ledger->document();
    document.relinks = relinks();
    tasks.add(ledger->replace(document).then([this]() {
      configurationChanged(By::others);  // This swap keeps the configuration: a new one is theirs.
      evaluateSoon();
    }));
  }
}

void Master::taskFailed(kj::Exception&& exception) {
  stopped = true;
  failed.fulfiller->reject(kj::mv(exception));
}

}  // namespace gavel::master
