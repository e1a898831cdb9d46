#include "master/master.h"

#include <algorithm>
#include <utility>

#include <kj/debug.h>

#include "base/duration.h"
#include "base/logging.h"
#include "master/probe.h"

namespace gavel::master {
namespace {

// How long a removal waits for probes of other members that are under way, so that nodes that fail
// together are removed together.  Most take a millisecond.
constexpr auto GATHER = 10 * kj::MILLISECONDS;
// A node syncs a configuration to its disk before it confirms it.
constexpr auto CONFIGURE_DEADLINE = 2 * kj::SECONDS;
constexpr std::int64_t ALARMING_SKEW = 500'000'000;  // R15
// How many nodes that are neither members nor connected are remembered, for the operator.
constexpr std::size_t GONE_KEPT = 32;
constexpr std::size_t MAX_REASON = 200;

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
      [&timer, &network, &clock, &random, settings](kj::Own<Ledger> ledger) {
        return kj::heap<Master>(timer, network, clock, random, settings, kj::mv(ledger));
      });
}

Master::Master(kj::Timer& timer, kj::Network& network, const SystemClock& clock, Random& random,
               Settings settings, kj::Own<Ledger> ledger)
    : timer(timer),
      network(network),
      clock(clock),
      random(random),
      settings(settings),
      ledger(kj::mv(ledger)),
      suspicion(settings.suspectAfter),
      failed(kj::newPromiseAndFulfiller<void>()),
      announcer(timer, CONFIGURE_DEADLINE,
                [this](std::uint64_t incarnation, std::uint64_t epoch) {
                  acknowledged(incarnation, epoch);
                }),
      anchor(*this),
      tasks(*this) {
  KJ_REQUIRE(settings.replicas > 0);
  wake();
  if (current().epoch == 0) {
    logInfo("waiting for nodes to form the chain", {{"replicas", settings.replicas}});
  } else {
    logInfo("leading the stored configuration",
            {{"epoch", current().epoch}, {"members", current().describe()}});
  }
  configurationChanged();
  tasks.add(tick());
  tasks.add(this->ledger->follow([this]() { configurationChanged(); }));
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
    warnIfSlow();
    evaluateSoon();
    return tick();
  });
}

// Everything that happens in a turn of the event loop is judged together, at its end.
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
  startProbes();
  if (ledger->busy()) return;  // written() comes back here.
  if (current().epoch == 0) {
    considerForming();
  } else {
    considerRemoving();
  }
  storeDurations();
}

void Master::startProbes() {
  for (auto& asked: suspicion.takeProbes(timer.now())) {
    auto* member = current().find(asked.incarnation);
    auto* node = roster.find(asked.incarnation);
    if (member == nullptr && node != nullptr) member = &node->member();
    if (member == nullptr) continue;
    tasks.add(
        probe(network, timer, member->address.c_str(), asked.incarnation, suspicion.probeTimeout())
            .then([this, asked](ProbeResult result) {
              wake();
              suspicion.probed(asked, result, timer.now());
              evaluateSoon();
            }));
  }
}

void Master::considerForming() {
  std::vector<Candidate> candidates;
  for (auto& [incarnation, node]: roster.all()) {
    if (node.session == 0 || !suspicion.isHeard(incarnation, timer.now())) continue;
    if (magnitude(node.skew) > settings.maxSkew) continue;  // R15
    candidates.push_back(node.candidate);
  }
  auto decision = form(current(), candidates, settings.replicas, random.id());
  if (auto* next = std::get_if<Configuration>(&decision)) put(std::move(*next), timer.now());
}

void Master::considerRemoving() {
  std::vector<Loss> losses;
  std::set<std::uint64_t> heard;
  auto since = timer.now();
  for (auto& member: current().members) {
    if (suspicion.isHeard(member.incarnation, timer.now())) heard.insert(member.incarnation);
    KJ_IF_MAYBE (loss, suspicion.lost(member.incarnation)) {
      losses.push_back(Loss{member.incarnation, loss->cause});
      since = kj::min(since, loss->since);
    }
  }
  if (losses.empty()) {
    gatherUntil = nullptr;
    complaint.clear();
    return;
  }
  if (awaitOtherProbes()) return;
  auto decision = withoutLost(current(), losses, heard);
  if (auto* next = std::get_if<Configuration>(&decision)) {
    gatherUntil = nullptr;
    put(std::move(*next), since);
  } else {
    complain(std::get<Unchanged>(decision).why);
  }
}

bool Master::awaitOtherProbes() {
  bool others =
      std::any_of(current().members.begin(), current().members.end(), [this](const Member& member) {
        return suspicion.inDoubt(member.incarnation) &&
               suspicion.lost(member.incarnation) == nullptr;
      });
  if (!others) return false;
  KJ_IF_MAYBE (until, gatherUntil) {
    return timer.now() < *until;
  }
  gatherUntil = timer.now() + GATHER;
  evaluateAt(timer.now() + GATHER);
  return true;
}

void Master::put(Configuration next, kj::TimePoint since) {
  next.stamp = clock.wall();
  auto document = ledger->document().with(next);
  logDebug("storing a configuration",
           {{"epoch", next.epoch}, {"members", next.describe()}, {"cause", next.cause}});
  tasks.add(ledger->replace(document).then(
      [this, next = std::move(next), since]() { written(next, since); }));
}

void Master::written(const Configuration& mine, kj::TimePoint since) {
  evaluateSoon();
  if (current() == mine) {
    if (timing.begin(mine, since))
      logInfo("re-link overtaken by the next one", {{"by", mine.epoch}});
  } else {
    logInfo("another master has changed the configuration",
            {{"epoch", current().epoch}, {"members", current().describe()}});
  }
  configurationChanged();
}

// To be called whenever ledger->current() may be another than before.
void Master::configurationChanged() {
  std::set<std::uint64_t> known;
  for (auto& [incarnation, node]: roster.all()) known.insert(incarnation);
  for (auto& member: current().members) {
    if (known.insert(member.incarnation).second) suspicion.expect(member.incarnation, timer.now());
  }
  suspicion.retain(known);
  timing.inForce(current().epoch);
  timing.stored(ledger->document().relinks);
  announcer.announce(current());
  prune();
}

void Master::complain(const std::string& why) {
  if (complaint == why) return;
  complaint = why;
  logWarning("members are lost, but the configuration has to stay",
             {{"epoch", current().epoch}, {"members", current().describe()}, {"reason", why}});
}

std::variant<Master::Registered, Master::Refused> Master::registerNode(
    const Application& application, schema::NodeStatus::Reader status,
    schema::NodeControl::Client control) {
  wake();
  auto& member = application.candidate.member;
  if (justWoke() && application.skew < 0 && magnitude(application.skew) > settings.maxSkew) {
    // Its clock may be right, and its message old: it must not be refused for good.
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "this master was paused: try again"));
  }
  KJ_IF_MAYBE (why, whyRefused(application, current(), liveNamesake(member), settings.maxSkew)) {
    logWarning("refused a node", {{"node", member.name}, {"reason", *why}});
    return Refused{kj::mv(*why)};
  }
  if (status.getEpoch() > current().epoch) {
    // Another master's, which this one is about to read; or this one's store is an old copy, and
    // going on from there would give epochs out twice.
    if (aheadSaid != status.getEpoch()) {
      logError("a node acts in an epoch that this master's store does not hold: an old copy of it?",
               {{"node", member.name}, {"epoch", status.getEpoch()}, {"stored", current().epoch}});
    }
    aheadSaid = status.getEpoch();  // It will try again and again.
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED,
                                         "this master's store is behind the node's epoch",
                                         status.getEpoch(), current().epoch));
  }
  bool known = roster.find(member.incarnation) != nullptr || current().contains(member.incarnation);
  if (!known && roster.all().size() >= Roster::LIMIT) {
    return Refused{kj::str("this master knows as many nodes as it can: ", Roster::LIMIT)};
  }

  noteSuccessions(member);
  Node node;
  node.candidate = application.candidate;
  node.session = ++lastSession;
  auto& entry = roster.insert(kj::mv(node));
  noteStatus(entry, status);
  suspicion.registered(member.incarnation, timer.now());
  announcer.add(member.incarnation, kj::mv(control), status.getEpoch());
  evaluateSoon();
  logInfo("node registered", {{"node", member.name},
                              {"address", member.address},
                              {"incarnation", member.incarnation},
                              {"member", current().contains(member.incarnation) ? "yes" : "no"}});
  return Registered{entry.session};
}

// A newly started process tells what has become of those it follows (R2).
void Master::noteSuccessions(const Member& newcomer) {
  auto now = timer.now();
  for (auto& member: current().members) {
    switch (succession(member, newcomer.name, newcomer.incarnation, newcomer.storeId)) {
      case Succession::none:
        break;
      case Succession::sameStore:
        suspicion.superseded(member.incarnation, now);
        break;
      case Succession::sameName:
        // Not proof by itself: that member may be well, and just not have registered yet.
        suspicion.doubt(member.incarnation, "another process registered under its name", now);
        break;
    }
  }
  std::vector<std::uint64_t> replaced;
  for (auto& [incarnation, node]: roster.all()) {
    if (node.member().storeId == newcomer.storeId && incarnation != newcomer.incarnation) {
      replaced.push_back(incarnation);
    }
  }
  for (auto incarnation: replaced) {
    announcer.remove(incarnation);
    roster.find(incarnation)->session = 0;
    if (!current().contains(incarnation)) forget(incarnation);
  }
}

const Member* Master::liveNamesake(const Member& newcomer) const {
  for (auto& [incarnation, node]: roster.all()) {
    auto& member = node.member();
    if (member.name == newcomer.name && incarnation != newcomer.incarnation &&
        member.storeId != newcomer.storeId && node.session != 0 &&
        suspicion.isHeard(incarnation, timer.now())) {
      return &member;
    }
  }
  return nullptr;
}

void Master::heartbeat(std::uint64_t incarnation, std::uint64_t session,
                       schema::NodeStatus::Reader status) {
  wake();
  auto* node = roster.find(incarnation);
  if (node == nullptr || node->session != session) {
    kj::throwFatalException(
        KJ_EXCEPTION(DISCONNECTED, "this registration is not in force any more", incarnation));
  }
  KJ_REQUIRE(status.getIncarnation() == incarnation, "a heartbeat speaks for another node",
             incarnation, status.getIncarnation());
  noteStatus(*node, status);
  suspicion.heard(incarnation, timer.now());
  announcer.heard(incarnation, status.getEpoch());
  evaluateSoon();
}

void Master::noteStatus(Node& node, schema::NodeStatus::Reader status) {
  node.status = capnp::clone(status);
  node.skew = skewOf(status.getWallClock(), clock.wall());
  bool skewed =
      magnitude(node.skew) > ALARMING_SKEW * kj::NANOSECONDS && !(node.skew < 0 && justWoke());
  if (skewed && !node.skewed) {
    logWarning("the clock of a node is wrong: synchronize it with the master's (NTP)",
               {{"node", node.member().name}, {"ahead-ms", node.skew / 1'000'000}});
  }
  node.skewed = skewed;
}

void Master::report(std::uint64_t reporter, std::uint64_t epoch, std::uint64_t suspect,
                    kj::StringPtr reason) {
  wake();
  auto* by = current().find(reporter);
  if (epoch != current().epoch || by == nullptr || !current().contains(suspect) ||
      suspect == reporter) {
    return;  // About a chain that is no more.
  }
  auto cause = "reported by " + by->name;
  if (reason.size() > 0) {
    cause += " (" + std::string(reason.begin(), kj::min(reason.size(), MAX_REASON)) + ")";
  }
  suspicion.doubt(suspect, kj::mv(cause), timer.now());
  evaluateSoon();
}

void Master::dropped(std::uint64_t incarnation, std::uint64_t session) {
  // Not right here: this may be the middle of the connection's own end.
  tasks.add(kj::evalLater([this, incarnation, session]() {
    wake();
    auto* node = roster.find(incarnation);
    if (node == nullptr || node->session != session) return;  // It has registered anew.
    logInfo("connection to a node has closed", {{"node", node->member().name}});
    node->session = 0;
    announcer.remove(incarnation);
    suspicion.dropped(incarnation, timer.now());
    prune();
    evaluateSoon();
  }));
}

void Master::forget(std::uint64_t incarnation) {
  announcer.remove(incarnation);
  suspicion.forget(incarnation);
  roster.erase(incarnation);
}

// Forgets the nodes that nothing is decided by: of those that are gone, all but the last few.
void Master::prune() {
  std::vector<std::uint64_t> gone;
  for (auto& [incarnation, node]: roster.all()) {
    if (node.session == 0 && !current().contains(incarnation)) gone.push_back(incarnation);
  }
  if (gone.size() <= GONE_KEPT) return;
  std::sort(gone.begin(), gone.end(), [this](std::uint64_t left, std::uint64_t right) {
    return suspicion.lastHeard(left).orDefault(timer.now()) <
           suspicion.lastHeard(right).orDefault(timer.now());
  });
  gone.resize(gone.size() - GONE_KEPT);
  for (auto incarnation: gone) forget(incarnation);
}

std::vector<Master::KnownNode> Master::nodes() const {
  auto now = timer.now();
  auto known = [&](const Member& member) {
    std::int64_t lastHeard = -1;
    KJ_IF_MAYBE (heard, suspicion.lastHeard(member.incarnation)) {
      lastHeard = (now - *heard) / kj::NANOSECONDS;
    }
    return KnownNode{member, roster.find(member.incarnation), lastHeard};
  };
  std::vector<KnownNode> others;
  for (auto& [incarnation, node]: roster.all()) {
    if (!current().contains(incarnation)) others.push_back(known(node.member()));
  }
  std::sort(others.begin(), others.end(), [](const KnownNode& left, const KnownNode& right) {
    return naturalLess(left.member.name, right.member.name);
  });
  std::vector<KnownNode> all;
  for (auto& member: current().members) all.push_back(known(member));
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

std::vector<Relink> Master::relinks() const {
  auto relinks = ledger->document().relinks;
  timing.fill(relinks);
  return relinks;
}

void Master::acknowledged(std::uint64_t incarnation, std::uint64_t epoch) {
  KJ_IF_MAYBE (duration, timing.acknowledged(incarnation, epoch, timer.now())) {
    logInfo("re-linked", {{"epoch", current().epoch},
                          {"cause", current().cause},
                          {"members", current().describe()},
                          {"ms", milliseconds(*duration)}});
    // Later, as it must not be in the way of the next re-link.
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
      configurationChanged();
      evaluateSoon();
    }));
  }
}

void Master::taskFailed(kj::Exception&& exception) {
  stopped = true;
  failed.fulfiller->reject(kj::mv(exception));
}

}  // namespace gavel::master
